package userdata

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"path"
	"strings"
)

// Kind tells what is done with a part.
type Kind string

// The kinds of part, by the MIME types cloud-init gave them.
const (
	Script      Kind = "text/x-shellscript"
	PerBoot     Kind = "text/x-shellscript-per-boot"
	PerInstance Kind = "text/x-shellscript-per-instance"
	PerOnce     Kind = "text/x-shellscript-per-once"
	CloudConfig Kind = "text/cloud-config"
	Boothook    Kind = "text/cloud-boothook"
	Include     Kind = "text/x-include-url"
	// Unsupported parts are named on the console and not acted on.
	Unsupported Kind = "unsupported"
)

// Part is one piece of user data.
type Part struct {
	Kind Kind
	// Name is the file name the part asked for, or part-NNN.
	Name string
	Body []byte
	// Why says for an Unsupported part what it is.
	Why string
}

const (
	maxUnpacked = 16 << 20
	maxDepth    = 8
	maxParts    = 256
)

// starts tells kinds by how the content begins, longest first where one is the
// beginning of another. An empty kind is known and not supported.
var starts = []struct {
	prefix string
	kind   Kind
}{
	{"#!", Script},
	{"#cloud-config-archive", ""},
	{"#cloud-config-jsonp", ""},
	{"#cloud-config", CloudConfig},
	{"#cloud-boothook", Boothook},
	{"#include", Include},
	{"#part-handler", ""},
	{"#upstart-job", ""},
	{"## template: jinja", ""},
}

// Split takes user data apart: gzip, base64, MIME multipart nested in each other,
// down to scripts and documents. Content it cannot place becomes an Unsupported
// part; an error means that the wrapping itself is damaged.
func Split(raw []byte) ([]Part, error) {
	s := splitter{}
	err := s.add(raw, "", "", 0)
	return s.parts, err
}

type splitter struct{ parts []Part }

func (s *splitter) add(body []byte, contentType, name string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("user data is nested more than %d deep", maxDepth)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		plain, err := gunzip(body)
		if err != nil {
			return err
		}
		return s.add(plain, contentType, name, depth+1)
	}
	kind := Kind(contentType)
	switch kind {
	case Script, PerBoot, PerInstance, PerOnce, CloudConfig, Boothook, Include:
		return s.keep(Part{Kind: kind, Name: name, Body: body})
	}
	if looksLikeMessage(body) {
		return s.message(body, depth)
	}
	if kind, known := recognise(body); known {
		if kind == "" {
			return s.keep(Part{Kind: Unsupported, Name: name, Body: body, Why: firstLine(body)})
		}
		return s.keep(Part{Kind: kind, Name: name, Body: body})
	}
	if plain, ok := decodeBase64(body); ok && placed(plain) {
		return s.add(plain, contentType, name, depth+1)
	}
	why := contentType
	if why == "" {
		why = "text/x-not-multipart beginning " + firstLine(body)
	}
	return s.keep(Part{Kind: Unsupported, Name: name, Body: body, Why: why})
}

func (s *splitter) keep(p Part) error {
	if len(s.parts) >= maxParts {
		return fmt.Errorf("user data has more than %d parts", maxParts)
	}
	if p.Name == "" {
		p.Name = fmt.Sprintf("part-%03d", len(s.parts)+1)
	}
	s.parts = append(s.parts, p)
	return nil
}

func recognise(body []byte) (Kind, bool) {
	// As cloud-init: case and white space before the first character do not count
	// for telling the kind.
	head := strings.ToLower(string(bytes.TrimLeft(body[:min(len(body), 256)], " \t\r\n")))
	for _, s := range starts {
		if strings.HasPrefix(head, s.prefix) {
			return s.kind, true
		}
	}
	return "", false
}

// placed reports whether decoded content is something that add knows.
func placed(body []byte) bool {
	_, known := recognise(body)
	return known || looksLikeMessage(body) || bytes.HasPrefix(body, []byte{0x1f, 0x8b})
}

func looksLikeMessage(body []byte) bool {
	head := strings.ToLower(string(bytes.TrimLeft(body[:min(len(body), 512)], " \t\r\n")))
	for _, header := range []string{"content-type:", "mime-version:", "from "} {
		if strings.HasPrefix(head, header) {
			return strings.Contains(strings.ToLower(string(body[:min(len(body), 8192)])), "content-type:")
		}
	}
	return false
}

func (s *splitter) message(body []byte, depth int) error {
	body = bytes.TrimLeft(body, " \t\r\n")
	if bytes.HasPrefix(bytes.ToLower(body), []byte("from ")) {
		_, body, _ = bytes.Cut(body, []byte("\n"))
	}
	msg, err := mail.ReadMessage(bufio.NewReader(bytes.NewReader(body)))
	if err != nil {
		return fmt.Errorf("user data MIME header: %w", err)
	}
	return s.entity(textproto.MIMEHeader(msg.Header), msg.Body, depth)
}

// entity adds one MIME entity, or each entity inside of it.
func (s *splitter) entity(header textproto.MIMEHeader, body io.Reader, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("user data is nested more than %d deep", maxDepth)
	}
	contentType, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		contentType = ""
	}
	if strings.HasPrefix(contentType, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("user data MIME part: %w", err)
			}
			if err := s.entity(part.Header, part, depth+1); err != nil {
				return err
			}
		}
	}
	content, err := decodeTransfer(header.Get("Content-Transfer-Encoding"), body)
	if err != nil {
		return fmt.Errorf("user data MIME part: %w", err)
	}
	return s.add(content, contentType, partName(header), depth+1)
}

func partName(header textproto.MIMEHeader) string {
	_, params, err := mime.ParseMediaType(header.Get("Content-Disposition"))
	if err != nil || params["filename"] == "" {
		return ""
	}
	// The name becomes a file name: never more than its last element.
	name := path.Base(strings.ReplaceAll(params["filename"], "\\", "/"))
	if name == "." || name == ".." || name == "/" || strings.ContainsAny(name, "\x00\n") || len(name) > 200 {
		return ""
	}
	return name
}

func decodeTransfer(encoding string, body io.Reader) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		raw, err := io.ReadAll(io.LimitReader(body, maxUnpacked))
		if err != nil {
			return nil, err
		}
		plain, ok := decodeBase64(raw)
		if !ok {
			return nil, errors.New("content is not base64, as its header says")
		}
		return plain, nil
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	return io.ReadAll(io.LimitReader(body, maxUnpacked))
}

func decodeBase64(raw []byte) ([]byte, bool) {
	compact := strings.Join(strings.Fields(string(raw)), "")
	plain, err := base64.StdEncoding.DecodeString(compact)
	if err != nil {
		plain, err = base64.RawStdEncoding.DecodeString(compact)
	}
	return plain, err == nil
}

func gunzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("user data gzip: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("user data gzip: %w", err)
	}
	if len(plain) > maxUnpacked {
		return nil, fmt.Errorf("user data gzip: more than %d bytes when unpacked", maxUnpacked)
	}
	return plain, nil
}

func firstLine(body []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimLeft(body, " \t\r\n"), []byte("\n"))
	return fmt.Sprintf("%.60q", line)
}

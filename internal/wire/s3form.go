package wire

import (
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/codec"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

const (
	// maxFormFields bounds what stands before the file.
	maxFormFields = 20 << 10
	// maxFormParts bounds how many fields there are.
	maxFormParts = 100
)

// s3Form is an HTML form that posts an object: the fields before the file, by their
// names in lower case, and the file, which is still to be read.
type s3Form struct {
	fields map[string]string
	file   io.Reader
	policy *formPolicy
	signed aws.Signed // of the policy; empty for nobody's form
}

func errFormField(name string) error {
	return awserr.New("InvalidArgument", "Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", name).
		With("ArgumentName", name).With("ArgumentValue", "")
}

var errFormMalformed = awserr.New("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")

// postForm answers a form. It is the operation PutObject with other clothes on: the
// fields take the headers' places, the policy document the signature's.
func (e *exchange) postForm() error {
	form, err := e.readS3Form()
	if err != nil {
		return err
	}
	if err := e.authenticateForm(form); err != nil {
		return err
	}
	row := e.service.operations["PutObject"]
	op := e.service.Model.Operations["PutObject"]
	header, err := form.headers()
	if err != nil {
		return err
	}
	in := row.New()
	err = codec.DecodeREST(op, in, codec.RESTRequest{
		Labels: map[string]string{"Bucket": e.address.bucket, "Key": form.fields["key"]},
		Header: header, Query: url.Values{}, Stream: form.body(),
	})
	if err != nil {
		return e.decodeError(err)
	}
	call := e.call()
	call.Operation, call.SigningName = postObject, "s3"
	form.signed.TLS = call.Signed.TLS
	call.Signed = form.signed
	if call.Signed.Type != "" && e.server.cfg.Used != nil {
		e.server.cfg.Used(call)
	}
	e.audited = true
	out, err := e.server.run(aws.WithCall(e.r.Context(), call), e.service, row, in)
	if err != nil {
		return err
	}
	return e.respondForm(form, out)
}

func (e *exchange) readS3Form() (*s3Form, error) {
	kind, params, err := mime.ParseMediaType(e.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, awserr.Status(http.StatusPreconditionFailed, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold").With("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
	}
	parts := multipart.NewReader(e.r.Body, params["boundary"])
	form := &s3Form{fields: map[string]string{}}
	for size := 0; len(form.fields) < maxFormParts; {
		part, err := parts.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a wrapped one is a form that breaks off
			return nil, awserr.New("InvalidArgument", "POST requires exactly one file upload per request.").
				With("ArgumentName", "file").With("ArgumentValue", "0")
		}
		if err != nil {
			return nil, errFormMalformed
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			form.file = part
			form.fileName(part.FileName())
			return form, form.complete(e.address.bucket)
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFormFields+1))
		if err != nil {
			return nil, errFormMalformed
		}
		if size += len(name) + len(value); size > maxFormFields {
			break
		}
		if _, twice := form.fields[name]; !twice {
			form.fields[name] = string(value)
		}
	}
	return nil, awserr.New("MaxPostPreDataLengthExceeded", "Your POST request fields preceding the upload file were too large.").
		With("MaxPostPreDataLengthBytes", strconv.Itoa(maxFormFields))
}

// fileName puts the name that the user's file has in its place.
func (f *s3Form) fileName(name string) {
	for field, value := range f.fields {
		if field == "key" || field == "success_action_redirect" || field == "redirect" {
			f.fields[field] = strings.ReplaceAll(value, "${filename}", name)
		}
	}
}

func (f *s3Form) complete(bucket string) error {
	if f.fields["key"] == "" {
		return errFormField("key")
	}
	if b, given := f.fields["bucket"]; given && b != bucket {
		return errByPolicy("Bucket POST field 'bucket' does not name the bucket of the request")
	}
	f.fields["bucket"] = bucket
	return nil
}

// authenticateForm sets the principal: who signed the policy, or nobody.
func (e *exchange) authenticateForm(form *s3Form) error {
	e.region = e.server.cfg.Region
	field := func(name string) string { return form.fields[name] }
	signature, missing, err := sigv4.ParseForm(field)
	switch {
	case err != nil:
		return err
	case missing != "":
		return errFormField(missing)
	case signature == nil && field("policy") != "":
		return errFormField("AWSAccessKeyId")
	case signature == nil:
		e.principal = aws.Principal{Type: aws.PrincipalAnonymous}
		return nil
	}
	credential, err := e.server.cfg.Credentials.Lookup(e.r.Context(), signature.AccessKeyID, signature.SessionToken)
	if err != nil {
		return err
	}
	if err := signature.Verify(field("policy"), credential.Secret); err != nil {
		return err
	}
	if form.policy, err = parseFormPolicy(field("policy"), e.server.cfg.Clock.Now()); err != nil {
		return err
	}
	if err := form.policy.judge(form.fields); err != nil {
		return err
	}
	form.signed = aws.Signed{Type: "POST", Version: signature.Algorithm, At: signature.Time}
	e.principal = credential.Principal
	e.principal.AccessKeyID = signature.AccessKeyID
	if signature.Region != "" {
		e.region = signature.Region
	}
	return nil
}

// formHeaders are the fields whose header has another name.
var formHeaders = map[string]string{"acl": "X-Amz-Acl"}

// headers are the fields as the headers of a PutObject.
func (f *s3Form) headers() (http.Header, error) {
	h := http.Header{}
	for name, value := range f.fields {
		switch {
		case name == "tagging":
			tags, err := formTags(value)
			if err != nil {
				return nil, err
			}
			h.Set("X-Amz-Tagging", tags)
		case formHeaders[name] != "":
			h.Set(formHeaders[name], value)
		case strings.HasPrefix(name, "x-amz-") && !strings.HasPrefix(name, "x-amz-security"),
			name == "cache-control", name == "content-type", name == "content-disposition", name == "content-encoding",
			name == "content-language", name == "expires":
			h.Set(name, value)
		}
	}
	return h, nil
}

// formTags turns the document of the tagging field into the form of the header.
func formTags(doc string) (string, error) {
	var tagging struct {
		Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := xml.Unmarshal([]byte(doc), &tagging); err != nil {
		return "", awserr.New("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	tags := url.Values{}
	for _, t := range tagging.Tags {
		tags.Add(t.Key, t.Value)
	}
	return tags.Encode(), nil
}

// body is the file, held to the size that the policy allows.
func (f *s3Form) body() io.Reader {
	if f.policy == nil {
		return f.file
	}
	return &boundedFile{file: f.file, policy: f.policy}
}

type boundedFile struct {
	file   io.Reader
	policy *formPolicy
	size   int64
}

func (b *boundedFile) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	b.size += int64(n)
	if most := b.policy.most; most >= 0 && b.size > most {
		return n, awserr.New("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").
			With("ProposedSize", strconv.FormatInt(b.size, 10)).With("MaxSizeAllowed", strconv.FormatInt(most, 10))
	}
	if errors.Is(err, io.EOF) && b.size < b.policy.least {
		return n, awserr.New("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
			With("ProposedSize", strconv.FormatInt(b.size, 10)).With("MinSizeAllowed", strconv.FormatInt(b.policy.least, 10))
	}
	return n, err
}

// respondForm answers as the form asks: a redirection, or a status.
func (e *exchange) respondForm(form *s3Form, out any) error {
	op := e.service.Model.Operations["PutObject"]
	h := e.w.Header()
	if _, err := codec.EncodeREST(op, out, e.service.Model.Namespace, h); err != nil {
		return err
	}
	etag := ""
	if p, ok := reflect.ValueOf(out).Elem().FieldByName("ETag").Interface().(*string); ok {
		etag = aws.Val(p)
	}
	bucket, key := e.address.bucket, form.fields["key"]
	location := endpoint(e.r) + "/" + url.PathEscape(key)
	if !e.address.virtual {
		location = endpoint(e.r) + "/" + bucket + "/" + url.PathEscape(key)
	}
	to := form.fields["success_action_redirect"]
	if to == "" {
		to = form.fields["redirect"]
	}
	if u, err := url.Parse(to); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		q := u.Query()
		q.Set("bucket", bucket)
		q.Set("key", key)
		q.Set("etag", etag)
		u.RawQuery = q.Encode()
		h.Set("Location", u.String())
		e.write(http.StatusSeeOther, "", nil)
		return nil
	}
	h.Set("Location", location)
	switch form.fields["success_action_status"] {
	case "200":
		e.write(http.StatusOK, "", nil)
	case "201":
		x := codec.XML{Buf: []byte(xmlHeader)}
		x.Open("PostResponse", "")
		x.Text("Location", location)
		x.Text("Bucket", bucket)
		x.Text("Key", key)
		x.Text("ETag", etag)
		x.Close("PostResponse")
		e.write(http.StatusCreated, "application/xml", x.Buf)
	default:
		e.write(http.StatusNoContent, "", nil)
	}
	return nil
}

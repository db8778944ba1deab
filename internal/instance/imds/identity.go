package imds

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/smallstep/pkcs7"
)

// identity is the directory of the document that says, signed, which instance
// this is.
func (h *Handler) identity(m Metadata) *node {
	doc := func(context.Context) (string, error) { return identityDocument(m) }
	if h.signer == nil {
		return dir("instance-identity", lazy("document", doc))
	}
	signed := func(sign func([]byte) ([]byte, error)) func(context.Context) (string, error) {
		return func(context.Context) (string, error) {
			text, err := identityDocument(m)
			if err != nil {
				return "", err
			}
			signature, err := sign([]byte(text))
			if err != nil {
				return "", fmt.Errorf("sign identity document: %w", err)
			}
			return wrapped(signature), nil
		}
	}
	return dir("instance-identity",
		lazy("document", doc),
		lazy("pkcs7", signed(h.signMessage)),
		lazy("rsa2048", signed(h.signMessage)),
		lazy("signature", signed(h.signPlain)))
}

func identityDocument(m Metadata) (string, error) {
	return document(
		field{"accountId", m.Account},
		field{"architecture", m.Architecture},
		field{"availabilityZone", m.Zone},
		field{"billingProducts", nil},
		field{"devpayProductCodes", nil},
		field{"marketplaceProductCodes", nil},
		field{"imageId", m.ImageID},
		field{"instanceId", m.InstanceID},
		field{"instanceType", m.InstanceType},
		field{"kernelId", nil},
		field{"pendingTime", timestamp(m.LaunchTime)},
		field{"privateIp", address(m.PrivateIP)},
		field{"ramdiskId", nil},
		field{"region", m.Region},
		field{"version", "2017-09-30"})
}

// signPlain is RSA over SHA-256 of the document.
func (h *Handler) signPlain(text []byte) ([]byte, error) {
	_, key, err := h.signer()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return key.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// signMessage is a PKCS #7 message that holds the document.
func (h *Handler) signMessage(text []byte) ([]byte, error) {
	cert, key, err := h.signer()
	if err != nil {
		return nil, err
	}
	message, err := pkcs7.NewSignedData(text)
	if err != nil {
		return nil, err
	}
	message.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := message.SignWithoutAttr(cert, key, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, err
	}
	return message.Finish()
}

// wrapped is base64 in lines of 64 letters, which PEM tools expect between
// their markers.
func wrapped(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var lines []string
	for len(text) > 64 {
		lines = append(lines, text[:64])
		text = text[64:]
	}
	return strings.Join(append(lines, text), "\n")
}

package s3

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/blob/sealed"
)

// Objects whose writer or bucket asks for it are encrypted at rest, each with a
// data key of its own. The data key is sealed in the object's row: by the data
// dir's master key (SSE-S3), or by the key that the customer sends with every
// request and that is never stored (SSE-C).

// crypt is how an object's bytes are encrypted; nil means that they are not.
type crypt struct {
	Key []byte // the data key, sealed
	// Customer tells SSE-C from SSE-S3.
	Customer bool `json:",omitempty"`
	// Managed calls the data dir's key aws:kms, as SSM calls it alias/aws/ssm.
	Managed bool `json:",omitempty"`
}

// managedKey reports whether a KMS key is the one that AWS manages for S3, which
// the data dir's key stands for. There are no others.
func managedKey(id *string) bool {
	return id == nil || *id == "alias/aws/s3" || strings.HasPrefix(*id, "arn:aws:kms:") && strings.HasSuffix(*id, ":alias/aws/s3")
}

// Keeper seals secrets with the data dir's key.
type Keeper interface {
	Seal(table, row string, plain []byte) ([]byte, error)
	Open(table, row string, sealed []byte) ([]byte, error)
}

// customerKey is a key that a request brings.
type customerKey struct {
	key []byte
	md5 string
}

// customer reads the members of in, a pointer to an input, that bring a key; nil
// when it brings none. prefix is CopySource for the key of a copy's source.
func customer(in any, prefix string) (*customerKey, error) {
	algorithm, key := member(in, prefix+"SSECustomerAlgorithm"), member(in, prefix+"SSECustomerKey")
	wrong := func(text string) error { return errInvalidArgument(text, "x-amz-server-side-encryption", "null") }
	switch {
	case algorithm == nil && key == nil:
		return nil, nil
	case textOf(reflect.ValueOf(in).Elem().FieldByName("ServerSideEncryption")) != "" && prefix == "":
		return nil, errInvalidArgument("Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
			"x-amz-server-side-encryption", textOf(reflect.ValueOf(in).Elem().FieldByName("ServerSideEncryption")))
	case algorithm == nil:
		return nil, wrong("Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.")
	case key == nil:
		return nil, wrong("Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.")
	case *algorithm != "AES256":
		return nil, awserr.New("InvalidEncryptionAlgorithmError", "The Encryption request you specified is not valid. Supported value: AES256.").
			With("ArgumentName", "x-amz-server-side-encryption").With("ArgumentValue", *algorithm)
	}
	plain, err := base64.StdEncoding.DecodeString(*key)
	if err != nil || len(plain) != sealed.KeySize {
		return nil, wrong("The secret key was invalid for the specified algorithm.")
	}
	sum := md5.Sum(plain)
	c := &customerKey{plain, base64.StdEncoding.EncodeToString(sum[:])}
	switch given := member(in, prefix+"SSECustomerKeyMD5"); {
	case given == nil:
		return nil, wrong("Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key.")
	case *given != c.md5:
		return nil, wrong("The calculated MD5 hash of the key did not match the hash that was provided.")
	}
	return c, nil
}

// aead is the cipher under which the customer's key seals data keys.
func (c *customerKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(c.key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func keyRow(bucket, key string) string { return bucket + "\x00" + key }

// encryption decides how a write is encrypted: as the request says, else as the
// bucket's configuration. It returns what to store and the data key, both nil for
// plain bytes.
func (s *Service) encryption(b *bucket, key string, in any) (*crypt, []byte, *customerKey, error) {
	c, err := customer(in, "")
	if err != nil {
		return nil, nil, nil, err
	}
	if c != nil && b.BlockCustomerKeys {
		return nil, nil, nil, awserr.Status(http.StatusForbidden, "AccessDenied", "Access Denied because SSE-C is blocked by the bucket's encryption configuration.")
	}
	asked := textOf(reflect.ValueOf(in).Elem().FieldByName("ServerSideEncryption"))
	if c == nil && asked == "" && !b.Encrypt {
		return nil, nil, nil, nil
	}
	data := make([]byte, sealed.KeySize)
	_, _ = rand.Read(data)
	e, err := s.sealKey(b.Name, key, data, c)
	if err == nil && c == nil {
		e.Managed = asked == string(s3.ServerSideEncryptionAwsKms) || asked == "" && b.Managed
	}
	return e, data, c, err
}

func (s *Service) sealKey(bucket, key string, data []byte, c *customerKey) (*crypt, error) {
	if c == nil {
		k, err := s.keeper.Seal("s3.object", keyRow(bucket, key), data)
		return &crypt{Key: k}, err
	}
	a, err := c.aead()
	if err != nil {
		return nil, err
	}
	return &crypt{Key: a.Seal(nil, nil, data, []byte(keyRow(bucket, key))), Customer: true}, nil
}

// dataKey returns the key of the bytes, nil for plain ones, or refuses a request
// that brings no key, a wrong one, or one that the object has no use for.
func (s *Service) dataKey(bucket, key string, e *crypt, c *customerKey) ([]byte, error) {
	switch {
	case e == nil || !e.Customer:
		if c != nil {
			return nil, errInvalidRequest("The encryption parameters are not applicable to this object.")
		}
		if e == nil {
			return nil, nil
		}
		k, err := s.keeper.Open("s3.object", keyRow(bucket, key), e.Key)
		if err != nil {
			return nil, fmt.Errorf("open the key of %s/%s: %w", bucket, key, err)
		}
		return k, nil
	case c == nil:
		return nil, errInvalidRequest("The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	}
	a, err := c.aead()
	if err != nil {
		return nil, err
	}
	k, err := a.Open(nil, nil, e.Key, []byte(keyRow(bucket, key)))
	if err != nil {
		return nil, awserr.Status(http.StatusForbidden, "AccessDenied",
			"Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.")
	}
	return k, nil
}

// uploadKey is dataKey for a part of an upload, where S3 words its refusals
// differently.
func (s *Service) uploadKey(u *upload, in any) ([]byte, *customerKey, error) {
	c, err := customer(in, "")
	if err != nil {
		return nil, nil, err
	}
	if u.Crypt != nil && u.Crypt.Customer && c == nil {
		return nil, nil, errInvalidRequest("The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	}
	k, err := s.dataKey(u.Bucket, u.Key, u.Crypt, c)
	if awserr.Is(err, "AccessDenied") {
		err = errInvalidRequest("The provided encryption parameters did not match the ones used originally.")
	}
	return k, c, err
}

// etagOf is the ETag of bytes: their MD5, which must not be shown of what a
// customer's key keeps secret.
func etagOf(info blob.Info, data []byte, c *customerKey) string {
	sum := info.Sums[blob.MD5]
	if c != nil {
		h := hmac.New(md5.New, data)
		_, _ = h.Write(sum)
		sum = h.Sum(nil)
	}
	return hex.EncodeToString(sum)
}

// showEncryption says in out, a pointer to an output, how the object is encrypted.
func showEncryption(out any, e *crypt, c *customerKey) {
	v := reflect.ValueOf(out).Elem()
	if c == nil && e != nil && e.Managed {
		v.FieldByName("ServerSideEncryption").Set(reflect.ValueOf(s3.ServerSideEncryptionAwsKms))
		return
	}
	if c == nil {
		v.FieldByName("ServerSideEncryption").Set(reflect.ValueOf(s3.ServerSideEncryptionAes256))
		return
	}
	v.FieldByName("SSECustomerAlgorithm").Set(reflect.ValueOf(aws.Ptr("AES256")))
	v.FieldByName("SSECustomerKeyMD5").Set(reflect.ValueOf(&c.md5))
}

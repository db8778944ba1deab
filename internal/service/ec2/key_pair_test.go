package ec2

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// output runs a program of the machine and returns what it prints.
func output(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return out
}

// digest runs EC2's documented way to a fingerprint to its end: openssl's digest
// with colons.
func digest(t *testing.T, der []byte, kind string) string {
	t.Helper()
	out := strings.TrimSpace(string(output(t, der, "openssl", kind, "-c")))
	return out[strings.LastIndexByte(out, ' ')+1:]
}

// TestRSAFingerprints compares with what openssl computes from the same key, made
// here and made elsewhere.
func TestRSAFingerprints(t *testing.T) {
	w := newWorld(t)
	made := do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("made")})
	private := []byte(*made.KeyMaterial)
	if !bytes.HasPrefix(private, []byte("-----BEGIN RSA PRIVATE KEY-----\n")) {
		t.Errorf("private key %.40q", private)
	}
	pkcs8 := output(t, private, "openssl", "pkcs8", "-inform", "PEM", "-outform", "DER", "-topk8", "-nocrypt")
	if want := digest(t, pkcs8, "sha1"); *made.KeyFingerprint != want {
		t.Errorf("fingerprint %s, openssl says %s", *made.KeyFingerprint, want)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	imported := do[api.ImportKeyPairOutput](w, "ImportKeyPair", &api.ImportKeyPairInput{KeyName: aws.Ptr("imported"), PublicKeyMaterial: append(line, " me@home"...)})
	der := output(t, private, "openssl", "rsa", "-pubout", "-outform", "DER")
	if want := digest(t, der, "md5"); *imported.KeyFingerprint != want {
		t.Errorf("fingerprint %s, openssl says %s", *imported.KeyFingerprint, want)
	}
	list := do[api.DescribeKeyPairsOutput](w, "DescribeKeyPairs", &api.DescribeKeyPairsInput{KeyNames: []string{"made"}, IncludePublicKey: aws.Ptr(true)}).KeyPairs
	if k := list[0]; *k.PublicKey != string(line)+" made" || k.KeyType != "rsa" || *k.KeyFingerprint != *made.KeyFingerprint || !k.CreateTime.Equal(testEpoch) {
		t.Errorf("described as %+v", k)
	}
}

// TestEd25519 has ssh-keygen read the key where the machine has it, and derives the
// fingerprint from the public key otherwise as well.
func TestEd25519(t *testing.T) {
	w := newWorld(t)
	made := do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k"), KeyType: "ed25519"})
	signer, err := ssh.ParsePrivateKey([]byte(*made.KeyMaterial))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimPrefix(ssh.FingerprintSHA256(signer.PublicKey()), "SHA256:") + "="; *made.KeyFingerprint != want {
		t.Errorf("fingerprint %s, want %s", *made.KeyFingerprint, want)
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		return
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(*made.KeyMaterial), 0o600); err != nil {
		t.Fatal(err)
	}
	out := output(t, nil, "ssh-keygen", "-l", "-f", file)
	if got := regexp.MustCompile(`SHA256:(\S+)`).FindSubmatch(out); got == nil || string(got[1])+"=" != *made.KeyFingerprint {
		t.Errorf("ssh-keygen says %s, we %s", out, *made.KeyFingerprint)
	}
}

func TestDeleteKeyPair(t *testing.T) {
	w := newWorld(t)
	made := do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k"), KeyType: "ed25519"})
	id := w.launch(func(in *api.RunInstancesInput) { in.KeyName = aws.Ptr("k") })
	do[api.DeleteKeyPairOutput](w, "DeleteKeyPair", &api.DeleteKeyPairInput{KeyPairId: made.KeyPairId})
	do[api.DeleteKeyPairOutput](w, "DeleteKeyPair", &api.DeleteKeyPairInput{KeyName: aws.Ptr("k")}) // gone already
	if i := w.instance(id); *i.KeyName != "k" || w.row(id).AuthorizedKey == "" {
		t.Error("the instance has lost its key")
	}
}

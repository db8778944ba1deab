package imds

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/network"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// inventory is a Source of one instance that a test may change.
type inventory struct {
	mu     sync.Mutex
	clock  clock.Clock
	m      Metadata
	issued int
	refuse error
}

func (i *inventory) Metadata(_ context.Context, instance string) (Metadata, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if instance != i.m.InstanceID {
		return Metadata{}, ErrNoInstance
	}
	return i.m, nil
}

func (i *inventory) Credentials(context.Context, string) (Credentials, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuse != nil {
		return Credentials{}, i.refuse
	}
	i.issued++
	now := i.clock.Now()
	return Credentials{AccessKeyID: fmt.Sprintf("ASIA%016d", i.issued), SecretAccessKey: "secret", SessionToken: "token/+=", Issued: now, Expires: now.Add(6 * time.Hour)}, nil
}

func (i *inventory) edit(f func(*Metadata)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(&i.m)
}

func example() Metadata {
	return Metadata{
		Account: "123456789012", Partition: "aws", Domain: "amazonaws.com", Region: "us-east-1", Zone: "us-east-1a", ZoneID: "use1-az1",
		InstanceID: "i-0123456789abcdef0", InstanceType: "t2.micro", ImageID: "ami-0123456789abcdef0", ReservationID: "r-0123456789abcdef0",
		Architecture: "x86_64", LaunchTime: start, RootDevice: "/dev/xvda",
		PrivateIP: netip.MustParseAddr("172.31.0.10"), PublicIP: netip.MustParseAddr("198.18.0.10"),
		PrivateHost: "ip-172-31-0-10.ec2.internal", PublicHost: "ec2-198-18-0-10.compute-1.amazonaws.com",
		MAC: "0a:00:00:00:00:0a", InterfaceID: "eni-1", SubnetID: "subnet-1", VPCID: "vpc-1",
		SubnetCIDR: netip.MustParsePrefix("172.31.0.0/20"), VPCCIDR: netip.MustParsePrefix("172.31.0.0/16"), VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")},
		SecurityGroups: []SecurityGroup{{"sg-1", "web"}, {"sg-2", "default"}},
		KeyName:        "mykey", PublicKey: "ssh-ed25519 AAAA mykey",
		ProfileARN: "arn:aws:iam::123456789012:instance-profile/web", ProfileID: "AIPA1", RoleName: "web-role", RoleID: "AROA1", RoleARN: "arn:aws:iam::123456789012:role/web-role",
		UserData: []byte("#!/bin/sh\necho \x00\xff"), Tags: map[string]string{"Name": "web", "gTag": "myApp"},
		Options: Options{Tokens: "optional", Endpoint: "enabled", HopLimit: 1, Tags: "enabled"},
	}
}

// service is a running metadata service and a client in the instance.
type service struct {
	t      *testing.T
	clock  *clock.Manual
	source *inventory
	url    string
}

func serveTo(t *testing.T, instance string, signer func() (*x509.Certificate, crypto.Signer, error)) *service {
	t.Helper()
	c := clock.NewManual(start)
	source := &inventory{clock: c, m: example()}
	h := New(Config{Source: source, Clock: c, TokenKey: []byte("a test's key"), Signer: signer})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Listener.Close()
	server.Listener = network.Identify(l, instance)
	server.Config.ConnContext = network.WithConn
	server.Start()
	t.Cleanup(server.Close)
	return &service{t: t, clock: c, source: source, url: "http://" + l.Addr().String()}
}

func serve(t *testing.T) *service { return serveTo(t, example().InstanceID, nil) }

func (s *service) do(method, path string, headers ...string) (status int, body string, header http.Header) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func (s *service) token(ttl string) string {
	s.t.Helper()
	status, token, _ := s.do("PUT", tokenPath, "X-aws-ec2-metadata-token-ttl-seconds", ttl)
	if status != 200 {
		s.t.Fatalf("token: status %d", status)
	}
	return token
}

func TestPaths(t *testing.T) {
	s := serve(t)
	mac := "/latest/meta-data/network/interfaces/macs/0a:00:00:00:00:0a/"
	tests := []struct{ path, want string }{
		{"/latest", "dynamic\nmeta-data\nuser-data"},
		{"/2009-04-04/", "dynamic\nmeta-data\nuser-data"},
		{"/latest/dynamic/", "fws/\ninstance-identity/"},
		{"/latest/meta-data/ami-id", "ami-0123456789abcdef0"},
		{"/latest/meta-data/ami-launch-index", "0"},
		{"/latest/meta-data/block-device-mapping/root", "/dev/xvda"},
		{"/latest/meta-data/hostname", "ip-172-31-0-10.ec2.internal"},
		{"/latest/meta-data/iam", "info\nsecurity-credentials/"},
		{"/latest/meta-data/iam/security-credentials/", "web-role"},
		{"/latest/meta-data/instance-action", "none"},
		{"/latest/meta-data/instance-id", "i-0123456789abcdef0"},
		{"/latest/meta-data//instance-id/", "i-0123456789abcdef0"},
		{"/latest/meta-data/instance-life-cycle", "on-demand"},
		{"/latest/meta-data/instance-type", "t2.micro"},
		{"/latest/meta-data/local-hostname", "ip-172-31-0-10.ec2.internal"},
		{"/latest/meta-data/local-ipv4", "172.31.0.10"},
		{"/latest/meta-data/mac", "0a:00:00:00:00:0a"},
		{"/latest/meta-data/network/interfaces/macs", "0a:00:00:00:00:0a/"},
		{mac + "ipv4-associations/198.18.0.10", "172.31.0.10"},
		{mac + "owner-id", "123456789012"},
		{mac + "security-group-ids", "sg-1\nsg-2"},
		{mac + "subnet-ipv4-cidr-block", "172.31.0.0/20"},
		{mac + "vpc-ipv4-cidr-blocks", "172.31.0.0/16"},
		{"/latest/meta-data/placement", "availability-zone\navailability-zone-id\nregion"},
		{"/latest/meta-data/placement/availability-zone", "us-east-1a"},
		{"/latest/meta-data/placement/region", "us-east-1"},
		{"/latest/meta-data/public-hostname", "ec2-198-18-0-10.compute-1.amazonaws.com"},
		{"/latest/meta-data/public-ipv4", "198.18.0.10"},
		{"/latest/meta-data/public-keys", "0=mykey"},
		{"/latest/meta-data/public-keys/0", "openssh-key"},
		{"/latest/meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA mykey\n"},
		{"/latest/meta-data/reservation-id", "r-0123456789abcdef0"},
		{"/latest/meta-data/security-groups", "web\ndefault"},
		{"/latest/meta-data/services/domain", "amazonaws.com"},
		{"/latest/meta-data/services/partition", "aws"},
		{"/latest/meta-data/tags/instance", "Name\ngTag"},
		{"/latest/meta-data/tags/instance/gTag", "myApp"},
		{"/latest/user-data", "#!/bin/sh\necho \x00\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			if status, got, _ := s.do("GET", tt.path); status != 200 || got != tt.want {
				t.Errorf("status %d, body %q, want %q", status, got, tt.want)
			}
		})
	}
	if _, got, _ := s.do("GET", "/"); !strings.HasPrefix(got, "1.0\n2007-01-19\n") || !strings.HasSuffix(got, "\nlatest") {
		t.Errorf("versions: %q", got)
	}
	if _, got, header := s.do("HEAD", "/latest/meta-data/instance-id"); got != "" || header.Get("Content-Length") != "19" {
		t.Errorf("HEAD: body %q, headers %v", got, header)
	}
}

func TestAbsent(t *testing.T) {
	s := serve(t)
	s.source.edit(func(m *Metadata) {
		m.PublicIP, m.PublicHost, m.PublicKey, m.UserData, m.ProfileARN, m.Options.Tags = netip.Addr{}, "", "", nil, "", "disabled"
	})
	for _, path := range []string{
		"/latest/meta-data/public-ipv4", "/latest/meta-data/public-hostname", "/latest/meta-data/public-keys/", "/latest/user-data", "/latest/meta-data/iam/", "/latest/meta-data/tags/",
		"/latest/meta-data/network/interfaces/macs/0a:00:00:00:00:0a/public-ipv4s", "/latest/meta-data/iam/security-credentials-extended/", "/latest/meta-data/spot/instance-action",
		"/latest/dynamic/instance-identity/signature", "/latest/meta-data/instance-id/more", "/nonsense",
	} {
		status, body, _ := s.do("GET", path)
		if status != 404 || !strings.HasPrefix(body, `<?xml version="1.0" encoding="iso-8859-1"?>`) || !strings.Contains(body, "<title>404 - Not Found</title>") {
			t.Errorf("%s: status %d, body %q", path, status, body)
		}
	}
	if _, listing, _ := s.do("GET", "/latest/meta-data/"); strings.Contains(listing, "public-") || strings.Contains(listing, "iam") {
		t.Errorf("listing names what is absent: %q", listing)
	}
}

func TestSessions(t *testing.T) {
	tests := []struct {
		name    string
		method  string
		path    string
		headers []string
		edit    func(*Metadata)
		want    int
	}{
		{"v1, allowed", "GET", "/latest/meta-data/", nil, nil, 200},
		{"v1, token required", "GET", "/latest/meta-data/", nil, func(m *Metadata) { m.Options.Tokens = "required" }, 401},
		{"wrong token", "GET", "/latest/meta-data/", []string{tokenHeader, "nonsense"}, nil, 401},
		{"empty token", "GET", "/latest/meta-data/", []string{tokenHeader, ""}, nil, 401},
		{"service off", "GET", "/latest/meta-data/", nil, func(m *Metadata) { m.Options.Endpoint = "disabled" }, 403},
		{"service off, token", "PUT", tokenPath, []string{ttlHeader, "60"}, func(m *Metadata) { m.Options.Endpoint = "disabled" }, 403},
		{"token", "PUT", tokenPath, []string{ttlHeader, "21600"}, nil, 200},
		{"token, no time to live", "PUT", tokenPath, nil, nil, 400},
		{"token, too long", "PUT", tokenPath, []string{ttlHeader, "21601"}, nil, 400},
		{"token, zero", "PUT", tokenPath, []string{ttlHeader, "0"}, nil, 400},
		{"token, no number", "PUT", tokenPath, []string{ttlHeader, "an hour"}, nil, 400},
		{"token through a proxy", "PUT", tokenPath, []string{ttlHeader, "60", "X-Forwarded-For", "10.0.0.1"}, nil, 403},
		{"token by GET", "GET", tokenPath, nil, nil, 405},
		{"PUT elsewhere", "PUT", "/latest/meta-data/", nil, nil, 405},
		{"POST", "POST", "/latest/meta-data/", nil, nil, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t)
			if tt.edit != nil {
				s.source.edit(tt.edit)
			}
			if got, body, _ := s.do(tt.method, tt.path, tt.headers...); got != tt.want {
				t.Errorf("status %d, want %d (%s)", got, tt.want, body)
			}
		})
	}
}

func TestTokenLife(t *testing.T) {
	s := serve(t)
	s.source.edit(func(m *Metadata) { m.Options.Tokens = "required" })
	token := s.token("60")
	if len(token) != 56 {
		t.Errorf("token has %d letters, AWS's have 56", len(token))
	}
	status := func() int {
		got, _, _ := s.do("GET", "/latest/meta-data/instance-id", "X-aws-ec2-metadata-token", token)
		return got
	}
	if got := status(); got != 200 {
		t.Errorf("with a token: status %d", got)
	}
	s.clock.Advance(59 * time.Second)
	if got := status(); got != 200 {
		t.Errorf("just before it expires: status %d", got)
	}
	s.clock.Advance(time.Second)
	if got := status(); got != 401 {
		t.Errorf("expired: status %d", got)
	}
	other := tokens{key: []byte("a test's key"), clock: s.clock}.issue("i-other", time.Hour)
	if got, _, _ := s.do("GET", "/latest/meta-data/", tokenHeader, other); got != 401 {
		t.Errorf("another instance's token: status %d", got)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	s := serveTo(t, "i-unknown", nil)
	if status, _, _ := s.do("GET", "/latest/meta-data/"); status != 404 {
		t.Errorf("an instance that does not exist: status %d", status)
	}
	w := httptest.NewRecorder()
	New(Config{Source: s.source, Clock: s.clock}).ServeHTTP(w, httptest.NewRequest("GET", "/latest/meta-data/", nil))
	if w.Code != 403 {
		t.Errorf("no instance: status %d", w.Code)
	}
}

func (s *service) credentials() map[string]string {
	s.t.Helper()
	status, body, _ := s.do("GET", "/latest/meta-data/iam/security-credentials/web-role")
	got := map[string]string{}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		s.t.Fatalf("credentials: status %d, %v: %s", status, err, body)
	}
	return got
}

func TestCredentials(t *testing.T) {
	s := serve(t)
	got := s.credentials()
	for name, want := range map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIA0000000000000001", "SecretAccessKey": "secret", "Token": "token/+=",
		"LastUpdated": "2026-03-01T12:00:00Z", "Expiration": "2026-03-01T18:00:00Z",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	s.clock.Advance(5 * time.Hour)
	if again := s.credentials(); again["AccessKeyId"] != got["AccessKeyId"] {
		t.Error("credentials changed long before they expire")
	}
	s.clock.Advance(46 * time.Minute)
	renewed := s.credentials()
	if renewed["AccessKeyId"] == got["AccessKeyId"] || renewed["LastUpdated"] != "2026-03-01T17:46:00Z" {
		t.Errorf("14 minutes before they expire: %v", renewed)
	}
	_, info, _ := s.do("GET", "/latest/meta-data/iam/info")
	if want := "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"2026-03-01T17:46:00Z\",\n  \"InstanceProfileArn\" : \"arn:aws:iam::123456789012:instance-profile/web\",\n  \"InstanceProfileId\" : \"AIPA1\"\n}"; info != want {
		t.Errorf("info:\n%s\nwant\n%s", info, want)
	}
	s.source.edit(func(m *Metadata) { m.RoleID = "AROA2" })
	if again := s.credentials(); again["AccessKeyId"] == renewed["AccessKeyId"] {
		t.Error("the role was made anew and the old session is still handed out")
	}
}

func TestCredentialsRefused(t *testing.T) {
	s := serve(t)
	s.source.refuse = &RoleError{Code: "AssumeRoleUnauthorizedAccess", Message: "EC2 cannot assume the role web-role."}
	if got := s.credentials(); got["Code"] != "AssumeRoleUnauthorizedAccess" || got["Message"] != "EC2 cannot assume the role web-role." || got["SecretAccessKey"] != "" {
		t.Errorf("got %v", got)
	}
	s.source.refuse = errors.New("disk on fire")
	if status, body, _ := s.do("GET", "/latest/meta-data/iam/security-credentials/web-role"); status != 500 || strings.Contains(body, "fire") {
		t.Errorf("status %d, body %q", status, body)
	}
}

func TestOneSessionForACrowd(t *testing.T) {
	s := serve(t)
	var crowd sync.WaitGroup
	for range 20 {
		crowd.Go(func() { s.do("GET", "/latest/meta-data/iam/security-credentials/web-role") })
	}
	crowd.Wait()
	if s.source.issued != 1 {
		t.Errorf("%d sessions were made", s.source.issued)
	}
}

// identityLayout is what AWS's service answers, to the blank.
const identityLayout = `{
  "accountId" : "123456789012",
  "architecture" : "x86_64",
  "availabilityZone" : "us-east-1a",
  "billingProducts" : null,
  "devpayProductCodes" : null,
  "marketplaceProductCodes" : null,
  "imageId" : "ami-0123456789abcdef0",
  "instanceId" : "i-0123456789abcdef0",
  "instanceType" : "t2.micro",
  "kernelId" : null,
  "pendingTime" : "2026-03-01T12:00:00Z",
  "privateIp" : "172.31.0.10",
  "ramdiskId" : null,
  "region" : "us-east-1",
  "version" : "2017-09-30"
}`

func TestIdentity(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "identity"}, NotBefore: start, NotAfter: start.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := serveTo(t, example().InstanceID, func() (*x509.Certificate, crypto.Signer, error) { return cert, key, nil })
	get := func(name string) []byte {
		t.Helper()
		status, body, _ := s.do("GET", "/latest/dynamic/instance-identity/"+name)
		if status != 200 {
			t.Fatalf("%s: status %d", name, status)
		}
		return []byte(body)
	}
	if got := string(get("document")); got != identityLayout {
		t.Errorf("document:\n%s", got)
	}
	decode := func(b []byte) []byte {
		t.Helper()
		raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(b), "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	sum := sha256.Sum256([]byte(identityLayout))
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], decode(get("signature"))); err != nil {
		t.Errorf("signature: %v", err)
	}
	for _, name := range []string{"pkcs7", "rsa2048"} {
		message, err := pkcs7.Parse(decode(get(name)))
		if err != nil {
			t.Fatal(err)
		}
		if err := message.Verify(); err != nil || string(message.Content) != identityLayout {
			t.Errorf("%s: %v, content %q", name, err, message.Content)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("/latest/meta-data/instance-id")
	f.Add("//latest//meta-data/../x")
	root := New(Config{Clock: clock.System{}}).root(example())
	f.Fuzz(func(t *testing.T, path string) {
		if n := root.find(path); n != nil && n.value == nil {
			n.listing()
		}
	})
}

func FuzzToken(f *testing.F) {
	good := tokens{key: []byte("k"), clock: clock.NewManual(start)}
	f.Add("i-1", good.issue("i-1", time.Hour))
	f.Fuzz(func(t *testing.T, instance, token string) {
		if (tokens{key: []byte("other"), clock: clock.NewManual(start)}).valid(instance, token) {
			t.Error("a token was accepted that nobody issued")
		}
	})
}

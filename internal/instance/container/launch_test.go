package container_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
	"github.com/hardstand/hardstand/internal/network"
)

func TestMain(m *testing.M) { instancetest.Main(m) }

const testVPC = "vpc-0123456789abcdef0"

// open makes a driver with a real network, on a data directory of its own.
func open(t testing.TB, change ...func(*container.Config)) (*container.Driver, string) {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	net, err := network.Open(ctx, network.Config{Prefix: instancetest.Prefix(), Egress: "off", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Destroy(); err != nil {
			t.Error(err)
		}
		net.Close()
	})
	all := netip.MustParsePrefix("0.0.0.0/0")
	everything := []network.Rule{{Protocol: "-1", From: -1, To: -1, CIDR: all}}
	cidr := netip.MustParsePrefix("172.31.0.0/16")
	if err := net.SetVPC(ctx, network.VPC{ID: testVPC, CIDR: cidr, Gateway: true}); err != nil {
		t.Fatal(err)
	}
	if err := net.SetGroup(ctx, testVPC, network.Group{ID: "sg-1", Ingress: everything, Egress: everything}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg := container.Config{
		DataDir: dir, Prefix: instancetest.Prefix(), Guest: instancetest.GuestBinary(t), Links: guest.Links(), Dirs: guest.Dirs(),
		Network: net, Clock: clock.System{}, Log: log,
	}
	for _, c := range change {
		c(&cfg)
	}
	d, err := container.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, dir
}

func spec(n int, userData string) instance.Spec {
	addr := netip.AddrFrom4([4]byte{172, 31, byte(n >> 8), byte(10 + n&0x7f)})
	return instance.Spec{
		ID: ids.Resource("i"), Type: "t3.micro", Hostname: "ip-" + strings.ReplaceAll(addr.String(), ".", "-") + ".ec2.internal",
		VCPUs: 2, MemoryMiB: 1024, UserData: []byte(userData), FirstBoot: true,
		NIC: network.NIC{
			ID: ids.Resource("eni"), VPC: testVPC, VPCCIDR: netip.MustParsePrefix("172.31.0.0/16"),
			Subnet: netip.MustParsePrefix("172.31.0.0/20"), Private: addr,
			Public: netip.AddrFrom4([4]byte{198, 18, byte(1 + n>>8), byte(10 + n&0x7f)}),
			MAC:    fmt.Sprintf("02:00:00:00:%02x:%02x", n>>8, n&0xff), SecurityGroups: []string{"sg-1"},
		},
	}
}

func launch(t testing.TB, d *container.Driver, s instance.Spec) instance.Handle {
	t.Helper()
	h, err := d.Launch(context.Background(), s)
	if err != nil {
		text, _, _ := d.Console(s.ID)
		t.Fatalf("%v\nconsole:\n%s", err, text)
	}
	t.Cleanup(func() {
		h.Kill()
		<-h.Done()
		if t.Failed() {
			text, _, _ := d.Console(s.ID)
			t.Logf("console of %s:\n%s", s.ID, text)
		}
		if err := d.Remove(context.Background(), s.ID); err != nil {
			t.Error(err)
		}
	})
	return h
}

const serveThePage = `#!/bin/bash
mkdir -p /var/www && cd /var/www
echo "hello from $(hostname)" > index.html
echo "serving $(id -u) $(cat /proc/1/cgroup | head -1)"
exec python3 -m http.server 8000
`

func TestUserDataServesAPage(t *testing.T) {
	d, _ := open(t)
	s := spec(1, serveThePage)
	launch(t, d, s)
	url := "http://" + s.NIC.Public.String() + ":8000/"
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	body := get(ctx, t, url)
	if want := "hello from " + s.Hostname + "\n"; body != want {
		t.Errorf("page = %q, want %q", body, want)
	}
}

func get(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	for {
		r, err := http.Get(url)
		if err == nil {
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		if clock.Sleep(ctx, clock.System{}, 2*time.Millisecond) != nil {
			t.Fatalf("no page at %s: %v", url, err)
		}
	}
}

// BenchmarkLaunch measures from the request to the first line of user data.
func BenchmarkLaunch(b *testing.B) {
	d, dir := open(b)
	n := 0
	var all, launches []time.Duration
	for b.Loop() {
		n++
		s := spec(n, "#!/bin/bash\necho $EPOCHREALTIME > /began\n")
		start := time.Now()
		h, err := d.Launch(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		launched := time.Since(start)
		b.StopTimer()
		began := began(b, filepath.Join(dir, "instances", s.ID, "root/upper/began"))
		took := began.Sub(start)
		all, launches = append(all, took), append(launches, launched)
		h.Kill()
		<-h.Done()
		d.Remove(b.Context(), s.ID)
		b.StartTimer()
	}
	report := func(name string, d []time.Duration) {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(d[len(d)*9/10].Microseconds())/1000, name+"-p90-ms")
	}
	report("launch", launches)
	report("userdata", all)
}

func began(t testing.TB, path string) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		text, err := os.ReadFile(path)
		if err == nil && len(text) > 10 {
			sec, frac, _ := strings.Cut(strings.TrimSpace(string(text)), ".")
			s, _ := strconv.ParseInt(sec, 10, 64)
			us, _ := strconv.ParseInt(frac, 10, 64)
			return time.Unix(s, us*1000)
		}
		if clock.Sleep(ctx, clock.System{}, time.Millisecond) != nil {
			t.Fatal("user data did not run")
		}
	}
}

package instancetest

import (
	"fmt"
	"net/netip"
	"sync/atomic"
)

// next numbers the instances of a run, so that no two share an address.
var next atomic.Uint32

func hardwareAddress(addr netip.Addr) string {
	b := addr.As4()
	return fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}

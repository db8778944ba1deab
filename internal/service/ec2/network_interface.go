package ec2

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// heldInterface is an interface where it is kept: in a row of its own, or as the
// primary one in its instance's. One of the two is nil.
type heldInterface struct {
	*nic
	row     *networkInterface
	machine *instance
}

func heldRow(r *networkInterface) heldInterface { return heldInterface{nic: &r.NIC, row: r} }

func primaryOf(r *instance) heldInterface { return heldInterface{nic: &r.NIC, machine: r} }

// save stores the row that the interface is in.
func (h heldInterface) save(tx *store.Tx, c aws.Call) error {
	if h.row != nil {
		return interfaces.Put(tx, key(c, h.ID), h.row)
	}
	return instances.Put(tx, key(c, h.machine.ID), h.machine)
}

func (h heldInterface) zone() string {
	if h.row != nil {
		return h.row.Zone
	}
	return h.machine.Zone
}

// attachment says to which instance the interface is attached, or "", as which
// device, and since when.
func (h heldInterface) attachment() (id string, device int32, since time.Time) {
	if h.row != nil {
		return h.row.Instance, h.row.Device, h.row.AttachedAt
	}
	return h.machine.ID, 0, h.machine.LaunchTime
}

// requester is the service that manages the interface, or "".
func (h heldInterface) requester() string {
	if h.row == nil {
		return ""
	}
	return h.row.Requester
}

// inUse says whether the interface has anything behind it.
func (h heldInterface) inUse() bool { return h.row == nil || h.row.used() }

// mayManage refuses callers that are not the service which manages the interface.
func (h heldInterface) mayManage(c aws.Call) error {
	if owner := h.requester(); owner != "" && owner != c.Principal.Service {
		return awserr.New("AuthFailure", "You do not have permission to access the specified resource.")
	}
	return nil
}

func noInterface(id string) error {
	return notFound("InvalidNetworkInterfaceID", "networkInterface ID", id)
}

func isNoInterface(err error) bool { return awserr.Is(err, "InvalidNetworkInterfaceID.NotFound") }

// checkInterfaceID refuses what cannot be the id of an interface.
func checkInterfaceID(id string) error {
	if !strings.HasPrefix(id, "eni-") {
		return awserr.New("InvalidNetworkInterfaceId.Malformed", "Invalid id: \"%s\" (expecting \"eni-...\")", id)
	}
	return nil
}

// findInterface returns an interface of the caller, or AWS's error.
func findInterface(tx *store.Tx, c aws.Call, id string) (heldInterface, error) {
	if err := checkInterfaceID(id); err != nil {
		return heldInterface{}, err
	}
	row, err := interfaces.Get(tx, key(c, id))
	if err == nil {
		return heldRow(row), nil
	}
	if !isNotFound(err) {
		return heldInterface{}, err
	}
	rows, err := instances.Lookup(tx, "interface", id)
	if err != nil {
		return heldInterface{}, err
	}
	if len(rows) == 0 || rows[0].Key.Account != c.Account || rows[0].Key.Region != c.Region {
		return heldInterface{}, noInterface(id)
	}
	return primaryOf(rows[0].Value), nil
}

// interfaceAttached returns the interface of an attachment.
func interfaceAttached(tx *store.Tx, c aws.Call, attachment string) (heldInterface, error) {
	rows, err := interfaces.Lookup(tx, "attachment", attachment)
	if err != nil {
		return heldInterface{}, err
	}
	if len(rows) > 0 && rows[0].Key.Account == c.Account && rows[0].Key.Region == c.Region {
		return heldRow(rows[0].Value), nil
	}
	found := heldInterface{}
	err = eachRow(tx, c, &instances, func(_ string, r *instance) {
		if r.NIC.AttachmentID == attachment && r.State != stateTerminated {
			found = primaryOf(r)
		}
	})
	if err == nil && found.nic == nil {
		err = awserr.New("InvalidAttachmentID.NotFound", "The attachment ID '%s' does not exist", attachment)
	}
	return found, err
}

// allInterfaces lists the caller's interfaces.
func allInterfaces(tx *store.Tx, c aws.Call) ([]heldInterface, error) {
	var out []heldInterface
	err := errors.Join(
		eachRow(tx, c, &instances, func(_ string, r *instance) {
			if r.State != stateTerminated {
				out = append(out, primaryOf(r))
			}
		}),
		eachRow(tx, c, &interfaces, func(_ string, r *networkInterface) { out = append(out, heldRow(r)) }),
	)
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	return out, nil
}

// interfacesIn counts the interfaces of all accounts that index says are in value: a
// subnet or a group.
func interfacesIn(tx *store.Tx, index, value string) (int, error) {
	primary, err := instances.Lookup(tx, index, value)
	if err != nil {
		return 0, err
	}
	others, err := interfaces.Lookup(tx, index, value)
	return len(primary) + len(others), err
}

// addressHeld says whether an interface has a private address, by its entry.
func addressHeld(tx *store.Tx, entry string) (bool, error) {
	n, err := interfacesIn(tx, "private", entry)
	return n > 0, err
}

// instanceState is that of an interface's instance, or "".
func (h heldInterface) instanceState(tx *store.Tx, c aws.Call) (string, error) {
	if h.machine != nil {
		return h.machine.State, nil
	}
	if h.row.Instance == "" {
		return "", nil
	}
	r, err := instances.Get(tx, key(c, h.row.Instance))
	if err != nil {
		return "", fmt.Errorf("instance of %s: %w", h.ID, err)
	}
	return r.State, nil
}

// balancerOwner makes the interfaces of load balancers.
const balancerOwner = "elasticloadbalancing.amazonaws.com"

// requesters are the names that AWS's services have as owners of interfaces.
var requesters = map[string]string{balancerOwner: "amazon-elb", natOwner: "amazon-aws"}

// requesterID names who made the interface: a service by its alias.
func (h heldInterface) requesterID() string {
	if name := requesters[h.requester()]; name != "" {
		return name
	}
	return h.Creator
}

// attachmentOwner is the owner of what the interface is attached to.
func (h heldInterface) attachmentOwner(c aws.Call) string {
	if name := requesters[h.requester()]; name != "" {
		return name
	}
	return c.Account
}

// kind is the type of the interface.
func (h heldInterface) kind() api.NetworkInterfaceType {
	if h.row != nil && h.row.Kind != "" {
		return api.NetworkInterfaceType(h.row.Kind)
	}
	return "interface"
}

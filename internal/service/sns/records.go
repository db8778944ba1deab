package sns

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// topic is a row of sns.topic; the key's ID is the name.
type topic struct {
	// Serial tells the topic from earlier ones of its name.
	Serial string `json:",omitempty"`
	// Attributes are those that were set.
	Attributes map[string]string
	Tags       map[string]string `json:",omitempty"`
	// Deleted counts the subscriptions that are gone.
	Deleted int
	// Token made the topic, where a stack did.
	Token string `json:",omitempty"`
}

// subscription is a row of sns.subscription; account and region are the topic's, the
// key's ID is the topic's name, a colon, and an id of its own.
type subscription struct {
	Protocol, Endpoint string
	Owner              string // account
	Principal          string // ARN of who subscribed
	Attributes         map[string]string
	Pending            bool   `json:",omitempty"`
	Token              string `json:",omitempty"` // confirms it
	// Authenticated: confirmed by a signed call. Guarded: only a signed call ends it.
	Authenticated, Guarded bool
	Created                time.Time
}

// delivery is a row of sns.delivery: a message on its way to one subscription. The
// key's ID is the subscription's, a slash, and Seq.
type delivery struct {
	Seq          string
	Subscription string // the ID of its key
	Kind         string // Notification or SubscriptionConfirmation
	Message      message
	Sealed       []byte `json:",omitempty"` // Message, where the topic encrypts
	Token        string `json:",omitempty"`
	Attempts     int
	Next         time.Time
}

// The kinds of delivery.
const (
	notification = "Notification"
	confirmation = "SubscriptionConfirmation"
)

// message is what was published, as one protocol gets it.
type message struct {
	ID         string
	Subject    *string `json:",omitempty"`
	Text       string
	Attributes map[string]attribute `json:",omitempty"`
	At         time.Time
	Group      string `json:",omitempty"`
	Dedup      string `json:",omitempty"`
	Sequence   string `json:",omitempty"`
	Version    string // of the signature
}

// attribute is a message attribute.
type attribute struct {
	Type   string
	Text   string `json:",omitempty"`
	Binary []byte `json:",omitempty"`
}

// repeat is a row of sns.dedup: what a FIFO topic answers to a message sent again.
type repeat struct {
	ID, Sequence string
	At           time.Time
}

// signerRow is a row of sns.signer: the sealed RSA key that signs messages.
type signerRow struct {
	Certificate, Key []byte
	Ends             time.Time
}

const dedupWindow = 5 * time.Minute

var (
	topics = &store.Table[topic]{Name: "sns.topic", Version: 1, Clone: cloneTopic}

	subscriptions = &store.Table[subscription]{Name: "sns.subscription", Version: 1, Clone: cloneSubscription, Indexes: []store.Index[subscription]{
		{Name: "topic", Value: func(k store.Key, _ *subscription) []string {
			name, _, _ := strings.Cut(k.ID, ":")
			return []string{k.Account + "\x00" + k.Region + "\x00" + name}
		}},
		{Name: "token", Value: func(_ store.Key, s *subscription) []string { return nonEmpty(s.Token) }},
	}}
	deliveries = &store.Table[delivery]{Name: "sns.delivery", Version: 1, Indexes: []store.Index[delivery]{
		{Name: "due", Value: func(_ store.Key, d *delivery) []string { return []string{stamp(d.Next) + "\x00" + d.Seq} }},
		{Name: "subscription", Value: func(k store.Key, d *delivery) []string {
			return []string{k.Account + "\x00" + k.Region + "\x00" + d.Subscription + "\x00" + d.Seq}
		}},
	}}
	repeats = &store.Table[repeat]{Name: "sns.dedup", Version: 1, Indexes: []store.Index[repeat]{
		{Name: "at", Value: func(_ store.Key, r *repeat) []string { return []string{stamp(r.At)} }},
	}}
	signerRows = &store.Table[signerRow]{Name: "sns.signer", Version: 1}
)

func cloneTopic(t *topic) *topic {
	c := *t
	c.Attributes, c.Tags = maps.Clone(t.Attributes), maps.Clone(t.Tags)
	return &c
}

func cloneSubscription(s *subscription) *subscription {
	c := *s
	c.Attributes = maps.Clone(s.Attributes)
	return &c
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// stamp is a time as indexes sort it.
func stamp(t time.Time) string { return fmt.Sprintf("%020d", t.UnixNano()) }

func topicARN(k store.Key) string { return arn.New("sns", k.Region, k.Account, k.ID) }

// subscriptionsOf are the subscriptions of a topic, in the order of their ARNs.
func subscriptionsOf(tx *store.Tx, k store.Key) ([]store.Row[subscription], error) {
	return subscriptions.Lookup(tx, "topic", k.Account+"\x00"+k.Region+"\x00"+k.ID)
}

// topicOf is the topic of a subscription's key.
func topicOf(k store.Key) store.Key {
	name, _, _ := strings.Cut(k.ID, ":")
	return store.Key{Account: k.Account, Region: k.Region, ID: name}
}

// tagKeys are the condition keys of a topic's tags.
func tagKeys(t *topic) map[string][]string {
	keys := make(map[string][]string, len(t.Tags))
	for _, k := range slices.Sorted(maps.Keys(t.Tags)) {
		keys["aws:ResourceTag/"+k] = []string{t.Tags[k]}
	}
	return keys
}

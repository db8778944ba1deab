package sns

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// envelope is a message as it arrives, in the order of AWS's.
type envelope struct {
	Type              string
	MessageID         string  `json:"MessageId"`
	SequenceNumber    string  `json:",omitempty"`
	Token             string  `json:",omitempty"`
	TopicARN          string  `json:"TopicArn"`
	Subject           *string `json:",omitempty"`
	Message           string
	SubscribeURL      string `json:",omitempty"`
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertURL    string
	UnsubscribeURL    string                    `json:",omitempty"`
	MessageAttributes map[string]shownAttribute `json:",omitempty"`
}

// wrap makes the signed envelope of a delivery.
func (s *Service) wrap(ctx context.Context, k store.Key, d *delivery) ([]byte, error) {
	m, topic := &d.Message, topicARN(topicOf(k))
	e := envelope{Type: d.Kind, MessageID: m.ID, SequenceNumber: m.Sequence, TopicARN: topic, Subject: m.Subject, Message: m.Text,
		Timestamp: m.At.UTC().Format("2006-01-02T15:04:05.000Z"), SignatureVersion: m.Version, MessageAttributes: shownAttributes(m.Attributes)}
	if d.Kind == confirmation {
		e.Token = d.Token
		e.SubscribeURL = s.cfg.Endpoint + "/?" + query("ConfirmSubscription", "TopicArn", topic, "Token", d.Token)
	} else {
		e.UnsubscribeURL = s.cfg.Endpoint + "/?" + query("Unsubscribe", "SubscriptionArn", topicARN(subscriptionKey(k, d)))
	}
	var err error
	if e.Signature, e.SigningCertURL, err = s.sign(ctx, m.Version, e.signed()); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(e)
	return bytes.TrimSpace(b.Bytes()), err
}

// signed is the text that the signature is of: names and values, line by line, by name.
func (e *envelope) signed() string {
	var b strings.Builder
	add := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	add("Message", e.Message)
	add("MessageId", e.MessageID)
	if e.Type == confirmation {
		add("SubscribeURL", e.SubscribeURL)
	} else if e.Subject != nil {
		add("Subject", *e.Subject)
	}
	add("Timestamp", e.Timestamp)
	if e.Type == confirmation {
		add("Token", e.Token)
	}
	add("TopicArn", e.TopicARN)
	add("Type", e.Type)
	return b.String()
}

// query is the address of an operation: names and values by turns.
func query(action string, pairs ...string) string {
	text := "Action=" + action
	for i := 0; i < len(pairs); i += 2 {
		text += "&" + pairs[i] + "=" + url.QueryEscape(pairs[i+1])
	}
	return text
}

// subscriptionKey is the key of the subscription that a delivery goes to.
func subscriptionKey(k store.Key, d *delivery) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: d.Subscription}
}

// requestTime is how long an endpoint has to answer.
const requestTime = 15 * time.Second

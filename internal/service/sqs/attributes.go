package sqs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// Attributes of a queue that are named in more than one place.
const (
	attrPolicy       = "Policy"
	attrVisibility   = "VisibilityTimeout"
	attrMaxSize      = "MaximumMessageSize"
	attrRetention    = "MessageRetentionPeriod"
	attrDelay        = "DelaySeconds"
	attrWait         = "ReceiveMessageWaitTimeSeconds"
	attrRedrive      = "RedrivePolicy"
	attrRedriveAllow = "RedriveAllowPolicy"
	attrFIFO         = "FifoQueue"
	attrContentDedup = "ContentBasedDeduplication"
	attrScope        = "DeduplicationScope"
	attrThroughput   = "FifoThroughputLimit"
	attrKMSKey       = "KmsMasterKeyId"
	attrKMSReuse     = "KmsDataKeyReusePeriodSeconds"
	attrManagedSSE   = "SqsManagedSseEnabled"
)

// maxBytes is the most that MaximumMessageSize and a batch allow.
const maxBytes = 1 << 20

// rule is what a settable attribute may be.
type rule struct {
	usual    string   // the default; "" shows none
	min, max int      // of numbers
	values   []string // of enumerations
	fifo     bool     // FIFO queues only
	document bool     // JSON; the empty text removes it
}

var rules = map[string]rule{
	attrVisibility:   {usual: "30", max: 43200},
	attrMaxSize:      {usual: strconv.Itoa(maxBytes), min: 1024, max: maxBytes},
	attrRetention:    {usual: "345600", min: 60, max: 1209600},
	attrDelay:        {usual: "0", max: 900},
	attrWait:         {usual: "0", max: 20},
	attrKMSReuse:     {min: 60, max: 86400},
	attrManagedSSE:   {usual: "true", values: []string{"true", "false"}},
	attrContentDedup: {usual: "false", values: []string{"true", "false"}, fifo: true},
	attrScope:        {usual: "queue", values: []string{"queue", "messageGroup"}, fifo: true},
	attrThroughput:   {usual: "perQueue", values: []string{"perQueue", "perMessageGroupId"}, fifo: true},
	attrFIFO:         {values: []string{"true"}, fifo: true},
	attrPolicy:       {document: true},
	attrRedrive:      {document: true},
	attrRedriveAllow: {document: true},
	attrKMSKey:       {document: true},
}

// judge holds attributes that are to be set on the queue to their rules.
func judge(k store.Key, given map[string]string, creating bool) error {
	for name, value := range given {
		r, ok := rules[name]
		if !ok || r.fifo && !isFIFO(k.ID) {
			return errAttributeName(name)
		}
		if name == attrFIFO && !creating && value != "true" {
			return awserr.New("InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
		}
		if !r.allows(value) {
			return errAttributeValue(name)
		}
	}
	if given[attrThroughput] == "perMessageGroupId" && given[attrScope] == "queue" {
		return errAttributeValue(attrThroughput)
	}
	if given[attrKMSKey] != "" && given[attrManagedSSE] == "true" {
		return awserr.New("InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
	}
	if key := given[attrKMSKey]; key != "" && key != "alias/aws/sqs" && !strings.HasSuffix(key, ":alias/aws/sqs") {
		return errNotImplemented("encryption of queues with KMS keys other than alias/aws/sqs")
	}
	return judgePolicy(given[attrPolicy])
}

func (r rule) allows(value string) bool {
	switch {
	case r.document:
		return true
	case r.values != nil:
		return slices.Contains(r.values, value)
	}
	n, err := strconv.Atoi(value)
	return err == nil && n >= r.min && n <= r.max && value[0] != '+'
}

// maxStatements is SQS's limit on a queue's policy.
const maxStatements = 20

func judgePolicy(text string) error {
	if text == "" {
		return nil
	}
	doc, err := policy.Parse(text, policy.Resource)
	if m := new(policy.Malformed); errors.As(err, &m) {
		return errAttributeValue(attrPolicy)
	}
	if err != nil {
		return err
	}
	if len(doc.Statements) > maxStatements {
		return errAttributeValue(attrPolicy)
	}
	for i := range doc.Statements {
		for _, a := range slices.Concat(doc.Statements[i].Actions, doc.Statements[i].NotActions) {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "sqs:") {
				return errParameter(text, attrPolicy, "Policy statement action out of service scope!")
			}
		}
	}
	return nil
}

// judgeRedrive looks at what the redrive policies name.
func judgeRedrive(tx *store.Tx, k store.Key, given map[string]string) error {
	if text := given[attrRedrive]; text != "" {
		r, wrong := parseRedrive(text)
		if wrong == "" {
			wrong = judgeTarget(tx, k, r.Target)
		}
		if wrong != "" {
			return errParameter(text, attrRedrive, wrong)
		}
	}
	if text := given[attrRedriveAllow]; text != "" {
		if wrong := (&allowance{}).parse(text); wrong != "" {
			return errParameter(text, attrRedriveAllow, wrong)
		}
	}
	return nil
}

func judgeTarget(tx *store.Tx, k store.Key, target string) string {
	to, ok := keyOf(target)
	if !ok {
		return "Invalid value for deadLetterTargetArn."
	}
	q, err := queues.Get(tx, to)
	switch {
	case err != nil || to.Account != k.Account || to.Region != k.Region:
		return "Dead letter target does not exist."
	case isFIFO(to.ID) != isFIFO(k.ID):
		return "Dead-letter queue must be same type of queue as the source."
	}
	var a allowance
	if a.parse(q.Attributes[attrRedriveAllow]) == "" && !a.covers(queueARN(k)) {
		return "Queue " + target + " does not allow the queue " + queueARN(k) + " to use it as a dead-letter queue."
	}
	return ""
}

// allowance is a redrive allow policy.
type allowance struct {
	Permission string   `json:"redrivePermission"`
	Sources    []string `json:"sourceQueueArns"`
}

func (a *allowance) parse(text string) string {
	if text == "" {
		a.Permission = "allowAll"
		return ""
	}
	if err := json.Unmarshal([]byte(text), a); err != nil {
		return "Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format."
	}
	switch {
	case a.Permission == "byQueue" && len(a.Sources) == 0:
		return "Amazon SQS can't create the redrive allow policy. When you specify the byQueue permission, you must list up to 10 source queues."
	case a.Permission == "byQueue" && len(a.Sources) > 10:
		return "Amazon SQS can't create the redrive allow policy. Too many source queues."
	case a.Permission == "byQueue":
	case a.Permission != "allowAll" && a.Permission != "denyAll":
		return "Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format."
	case len(a.Sources) > 0:
		return "Amazon SQS can't create the redrive allow policy. The sourceQueueArns attribute is not allowed with this permission."
	}
	return ""
}

func (a *allowance) covers(source string) bool {
	return a.Permission == "allowAll" || a.Permission == "byQueue" && slices.Contains(a.Sources, source)
}

// set takes attributes over that were found good.
func (q *queue) set(given map[string]string) {
	for name, value := range given {
		if value == "" {
			delete(q.Attributes, name)
			continue
		}
		q.Attributes[name] = value
	}
	if given[attrKMSKey] != "" { // the one replaces the other
		q.Attributes[attrManagedSSE] = "false"
	}
	if given[attrManagedSSE] == "true" {
		delete(q.Attributes, attrKMSKey)
	}
}

// attribute is the value of a settable attribute, set or usual.
func (q *queue) attribute(name string) string {
	if v, ok := q.Attributes[name]; ok {
		return v
	}
	if name == attrKMSReuse && q.Attributes[attrKMSKey] != "" {
		return "300"
	}
	return rules[name].usual
}

func (q *queue) number(name string) int {
	n, _ := strconv.Atoi(q.attribute(name)) // judged when it was set
	return n
}

func (q *queue) seconds(name string) time.Duration {
	return time.Duration(q.number(name)) * time.Second
}

// encrypts: the queue's messages are sealed in the database.
func (q *queue) encrypts() bool {
	return q.attribute(attrManagedSSE) == "true" || q.Attributes[attrKMSKey] != ""
}

// describe is every attribute that the queue shows.
func (q *queue) describe(k store.Key) map[string]string {
	out := map[string]string{
		"QueueArn":              queueARN(k),
		"CreatedTimestamp":      fmt.Sprint(q.Created.Unix()),
		"LastModifiedTimestamp": fmt.Sprint(q.Modified.Unix()),
	}
	for name, r := range rules {
		if v := q.attribute(name); v != "" && (!r.fifo || isFIFO(k.ID)) {
			out[name] = v
		}
	}
	return out
}

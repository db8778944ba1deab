package sns

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// retryPolicy is how often and when a delivery to an endpoint is tried again.
type retryPolicy struct {
	MinDelay        int    `json:"minDelayTarget"`
	MaxDelay        int    `json:"maxDelayTarget"`
	Retries         int    `json:"numRetries"`
	MaxDelayRetries int    `json:"numMaxDelayRetries"`
	NoDelayRetries  int    `json:"numNoDelayRetries"`
	MinDelayRetries int    `json:"numMinDelayRetries"`
	Backoff         string `json:"backoffFunction"`

	// contentType is of the requests, where the policy says so.
	contentType string
}

func usualRetry() retryPolicy {
	return retryPolicy{MinDelay: 20, MaxDelay: 20, Retries: 3, Backoff: "linear", contentType: "text/plain; charset=UTF-8"}
}

// parseRetry reads a delivery policy: that of a topic has the retries in
// http.defaultHealthyRetryPolicy, that of a subscription in healthyRetryPolicy.
func parseRetry(text string, path ...string) (retryPolicy, error) {
	r := usualRetry()
	if text == "" {
		return r, nil
	}
	wrong := func(reason string) (retryPolicy, error) { return r, invalid("DeliveryPolicy: %s", reason) }
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return wrong("failed to parse JSON")
	}
	if len(path) == 2 {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(doc[path[0]], &inner); err != nil || len(doc) > 1 {
			return wrong("http must be an object and the only member")
		}
		doc, path = inner, path[1:]
	}
	for name, value := range doc {
		switch {
		case name == path[0]:
			if err := json.Unmarshal(value, &r); err != nil {
				return wrong(name + " is not valid")
			}
		case (name == "requestPolicy" || name == "defaultRequestPolicy") && string(value) != "null":
			var p struct {
				ContentType string `json:"headerContentType"`
			}
			if err := json.Unmarshal(value, &p); err != nil {
				return wrong(name + " is not valid")
			}
			if p.ContentType != "" {
				r.contentType = p.ContentType
			}
		case (name == "throttlePolicy" || name == "defaultThrottlePolicy") && string(value) != "null":
			return r, errNotImplemented("throttling of deliveries")
		case name == "disableSubscriptionOverrides" && string(value) == "true":
			return r, errNotImplemented("topics whose delivery policy overrides those of subscriptions")
		case string(value) != "null" && string(value) != "false": // what attributes show where there is nothing
			return wrong("Unexpected JSON member: " + name)
		}
	}
	return r, r.judge()
}

func (r retryPolicy) judge() error {
	switch {
	case r.MinDelay < 0 || r.MinDelay > r.MaxDelay:
		return invalid("DeliveryPolicy: minDelayTarget must be between 0 and maxDelayTarget")
	case r.MaxDelay > 3600:
		return invalid("DeliveryPolicy: maxDelayTarget must be at most 3600")
	case r.Retries < 0 || r.Retries > 100:
		return invalid("DeliveryPolicy: numRetries must be between 0 and 100")
	case r.NoDelayRetries < 0 || r.MinDelayRetries < 0 || r.MaxDelayRetries < 0 || r.NoDelayRetries+r.MinDelayRetries+r.MaxDelayRetries > r.Retries:
		return invalid("DeliveryPolicy: numRetries must be greater than or equal to the sum of the retries of the phases")
	case !slices.Contains([]string{"linear", "arithmetic", "geometric", "exponential"}, r.Backoff):
		return invalid("DeliveryPolicy: backoffFunction must be one of linear, arithmetic, geometric, exponential")
	}
	return nil
}

// effective is the policy as attributes show it.
func (r retryPolicy) effective(path ...string) string {
	inner := map[string]any{path[len(path)-1]: r}
	request := map[string]any{"headerContentType": r.contentType}
	if len(path) == 1 {
		inner["sicklyRetryPolicy"], inner["throttlePolicy"], inner["requestPolicy"], inner["guaranteed"] = nil, nil, request, false
	} else {
		inner["disableSubscriptionOverrides"], inner["defaultRequestPolicy"] = false, request
	}
	var doc any = inner
	if len(path) == 2 {
		doc = map[string]any{path[0]: inner}
	}
	text, _ := json.Marshal(doc) // numbers and texts
	return string(text)
}

// after is the pause before the retry of the number given, from 1 on; ok is false when
// there is none any more. The phases follow each other: without delay, with the
// smallest, growing, with the largest.
func (r retryPolicy) after(retry int) (pause time.Duration, ok bool) {
	if retry > r.Retries {
		return 0, false
	}
	growing := r.Retries - r.NoDelayRetries - r.MinDelayRetries - r.MaxDelayRetries
	seconds := 0.0
	switch n := retry - r.NoDelayRetries; {
	case n <= 0:
	case n <= r.MinDelayRetries:
		seconds = float64(r.MinDelay)
	case n <= r.MinDelayRetries+growing:
		seconds = r.grown(n-r.MinDelayRetries, growing)
	default:
		seconds = float64(r.MaxDelay)
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// grown is the pause of step i of n between the smallest and the largest.
func (r retryPolicy) grown(i, n int) float64 {
	least, most, part := float64(r.MinDelay), float64(r.MaxDelay), float64(i)/float64(n)
	switch r.Backoff {
	case "arithmetic":
		part *= part
	case "geometric":
		part = (math.Pow(2, 4*part) - 1) / 15
	case "exponential":
		part = (math.Exp(4*part) - 1) / (math.Exp(4) - 1)
	}
	return least + (most-least)*part
}

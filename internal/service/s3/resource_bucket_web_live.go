package s3

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// liveWeb adds the settings for browsers and the notifications, as they are, with the
// names that templates have.
func (t resourceBucket) liveWeb(ctx context.Context, name *string, live map[string]any) error {
	cors, err := setting[s3.GetBucketCorsOutput](ctx, t.inv, "GetBucketCors", &s3.GetBucketCorsInput{Bucket: name}, "NoSuchCORSConfiguration")
	if err != nil {
		return err
	}
	if len(cors.CORSRules) > 0 {
		live["CorsConfiguration"] = map[string]any{"CorsRules": corsRules(cors.CORSRules)}
	}
	site, err := setting[s3.GetBucketWebsiteOutput](ctx, t.inv, "GetBucketWebsite", &s3.GetBucketWebsiteInput{Bucket: name}, "NoSuchWebsiteConfiguration")
	if err != nil {
		return err
	}
	if site.IndexDocument != nil || site.RedirectAllRequestsTo != nil {
		live["WebsiteConfiguration"] = websiteOf(site)
	}
	told, err := invoke[s3.GetBucketNotificationConfigurationOutput](ctx, t.inv, "GetBucketNotificationConfiguration", &s3.GetBucketNotificationConfigurationInput{Bucket: name})
	if err != nil {
		return err
	}
	if len(told.TopicConfigurations)+len(told.QueueConfigurations) > 0 {
		live["NotificationConfiguration"] = notificationsOf(told)
	}
	return nil
}

// given makes a property of the members that have a value.
func given(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case *string:
			if v != nil {
				out[name] = *v
			}
		case *int32:
			if v != nil {
				out[name] = *v
			}
		case s3.Protocol:
			if v != "" {
				out[name] = string(v)
			}
		case []string:
			if len(v) > 0 {
				list := make([]any, len(v))
				for i, s := range v {
					list[i] = s
				}
				out[name] = list
			}
		case map[string]any:
			if len(v) > 0 {
				out[name] = v
			}
		}
	}
	return out
}

func corsRules(rules []s3.CORSRule) []any {
	out := []any{}
	for _, r := range rules {
		out = append(out, given("Id", r.ID, "AllowedHeaders", r.AllowedHeaders, "AllowedMethods", r.AllowedMethods, "AllowedOrigins", r.AllowedOrigins,
			"ExposedHeaders", r.ExposeHeaders, "MaxAge", r.MaxAgeSeconds))
	}
	return out
}

func websiteOf(w *s3.GetBucketWebsiteOutput) map[string]any {
	out := map[string]any{}
	if w.IndexDocument != nil {
		out["IndexDocument"] = aws.Val(w.IndexDocument.Suffix)
	}
	if w.ErrorDocument != nil {
		out["ErrorDocument"] = aws.Val(w.ErrorDocument.Key)
	}
	if all := w.RedirectAllRequestsTo; all != nil {
		out["RedirectAllRequestsTo"] = given("HostName", all.HostName, "Protocol", all.Protocol)
	}
	rules := []any{}
	for _, r := range w.RoutingRules {
		to, rule := r.Redirect, map[string]any{}
		rule["RedirectRule"] = given("HostName", to.HostName, "HttpRedirectCode", to.HttpRedirectCode, "Protocol", to.Protocol,
			"ReplaceKeyPrefixWith", to.ReplaceKeyPrefixWith, "ReplaceKeyWith", to.ReplaceKeyWith)
		if when := r.Condition; when != nil {
			rule["RoutingRuleCondition"] = given("HttpErrorCodeReturnedEquals", when.HttpErrorCodeReturnedEquals, "KeyPrefixEquals", when.KeyPrefixEquals)
		}
		rules = append(rules, rule)
	}
	if len(rules) > 0 {
		out["RoutingRules"] = rules
	}
	return out
}

func notificationsOf(c *s3.GetBucketNotificationConfigurationOutput) map[string]any {
	topics, queues := []any{}, []any{}
	for _, t := range c.TopicConfigurations {
		for _, e := range t.Events {
			event := string(e)
			topics = append(topics, given("Event", &event, "Topic", t.TopicArn, "Filter", notificationFilterOf(t.Filter)))
		}
	}
	for _, q := range c.QueueConfigurations {
		for _, e := range q.Events {
			event := string(e)
			queues = append(queues, given("Event", &event, "Queue", q.QueueArn, "Filter", notificationFilterOf(q.Filter)))
		}
	}
	out := map[string]any{}
	if len(topics) > 0 {
		out["TopicConfigurations"] = topics
	}
	if len(queues) > 0 {
		out["QueueConfigurations"] = queues
	}
	return out
}

func notificationFilterOf(f *s3.NotificationConfigurationFilter) map[string]any {
	if f == nil || f.Key == nil {
		return nil
	}
	rules := []any{}
	for _, r := range f.Key.FilterRules {
		rules = append(rules, map[string]any{"Name": strings.ToLower(string(r.Name)), "Value": aws.Val(r.Value)})
	}
	return map[string]any{"S3Key": map[string]any{"Rules": rules}}
}

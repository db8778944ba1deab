package s3

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// The properties of AWS::S3::Bucket for browsers and notifications. Templates have
// other names for the members than S3's documents.
type (
	corsProperty struct {
		CorsRules []struct {
			Id             *string
			AllowedHeaders []string
			AllowedMethods []string `cfn:",required"`
			AllowedOrigins []string `cfn:",required"`
			ExposedHeaders []string
			MaxAge         *int32
		} `cfn:",required"`
	}
	websiteProperty struct {
		ErrorDocument         *string
		IndexDocument         *string
		RedirectAllRequestsTo *struct {
			HostName string `cfn:",required"`
			Protocol *string
		}
		RoutingRules []struct {
			RedirectRule struct {
				HostName, HttpRedirectCode, Protocol, ReplaceKeyPrefixWith, ReplaceKeyWith *string
			} `cfn:",required"`
			RoutingRuleCondition *struct{ HttpErrorCodeReturnedEquals, KeyPrefixEquals *string }
		}
	}
	notificationProperty struct {
		TopicConfigurations []struct {
			Event  string `cfn:",required"`
			Topic  string `cfn:",required"`
			Filter *notificationFilterProperty
		}
		QueueConfigurations []struct {
			Event  string `cfn:",required"`
			Queue  string `cfn:",required"`
			Filter *notificationFilterProperty
		}
	}
	notificationFilterProperty struct {
		S3Key struct {
			Rules []struct {
				Name  string `cfn:",required"`
				Value string `cfn:",required"`
			} `cfn:",required"`
		} `cfn:",required"`
	}
)

// setNotifications replaces the destinations of the bucket's events.
func setNotifications(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if p.NotificationConfiguration == nil && old.NotificationConfiguration == nil {
		return nil
	}
	_, err := invoke[s3.PutBucketNotificationConfigurationOutput](ctx, inv, "PutBucketNotificationConfiguration",
		&s3.PutBucketNotificationConfigurationInput{Bucket: &name, NotificationConfiguration: p.NotificationConfiguration.document()})
	return err
}

func setCORS(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if p.CorsConfiguration == nil {
		if old.CorsConfiguration == nil {
			return nil
		}
		_, err := invoke[s3.DeleteBucketCorsOutput](ctx, inv, "DeleteBucketCors", &s3.DeleteBucketCorsInput{Bucket: &name})
		return err
	}
	c := &s3.CORSConfiguration{}
	for _, r := range p.CorsConfiguration.CorsRules {
		c.CORSRules = append(c.CORSRules, s3.CORSRule{ID: r.Id, AllowedHeaders: r.AllowedHeaders, AllowedMethods: r.AllowedMethods,
			AllowedOrigins: r.AllowedOrigins, ExposeHeaders: r.ExposedHeaders, MaxAgeSeconds: r.MaxAge})
	}
	_, err := invoke[s3.PutBucketCorsOutput](ctx, inv, "PutBucketCors", &s3.PutBucketCorsInput{Bucket: &name, CORSConfiguration: c})
	return err
}

func setWebsite(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	w := p.WebsiteConfiguration
	if w == nil {
		if old.WebsiteConfiguration == nil {
			return nil
		}
		_, err := invoke[s3.DeleteBucketWebsiteOutput](ctx, inv, "DeleteBucketWebsite", &s3.DeleteBucketWebsiteInput{Bucket: &name})
		return err
	}
	c := &s3.WebsiteConfiguration{}
	if w.IndexDocument != nil {
		c.IndexDocument = &s3.IndexDocument{Suffix: w.IndexDocument}
	}
	if w.ErrorDocument != nil {
		c.ErrorDocument = &s3.ErrorDocument{Key: w.ErrorDocument}
	}
	if all := w.RedirectAllRequestsTo; all != nil {
		c.RedirectAllRequestsTo = &s3.RedirectAllRequestsTo{HostName: &all.HostName, Protocol: s3.Protocol(aws.Val(all.Protocol))}
	}
	for _, r := range w.RoutingRules {
		to := r.RedirectRule
		rule := s3.RoutingRule{Redirect: &s3.Redirect{HostName: to.HostName, HttpRedirectCode: to.HttpRedirectCode,
			Protocol: s3.Protocol(aws.Val(to.Protocol)), ReplaceKeyPrefixWith: to.ReplaceKeyPrefixWith, ReplaceKeyWith: to.ReplaceKeyWith}}
		if when := r.RoutingRuleCondition; when != nil {
			rule.Condition = &s3.Condition{HttpErrorCodeReturnedEquals: when.HttpErrorCodeReturnedEquals, KeyPrefixEquals: when.KeyPrefixEquals}
		}
		c.RoutingRules = append(c.RoutingRules, rule)
	}
	_, err := invoke[s3.PutBucketWebsiteOutput](ctx, inv, "PutBucketWebsite", &s3.PutBucketWebsiteInput{Bucket: &name, WebsiteConfiguration: c})
	return err
}

// document is the property as S3 takes it; nil is no destination.
func (p *notificationProperty) document() *s3.NotificationConfiguration {
	c := &s3.NotificationConfiguration{}
	if p == nil {
		return c
	}
	for _, t := range p.TopicConfigurations {
		c.TopicConfigurations = append(c.TopicConfigurations, s3.TopicConfiguration{TopicArn: &t.Topic, Events: []s3.Event{s3.Event(t.Event)}, Filter: t.Filter.document()})
	}
	for _, q := range p.QueueConfigurations {
		c.QueueConfigurations = append(c.QueueConfigurations, s3.QueueConfiguration{QueueArn: &q.Queue, Events: []s3.Event{s3.Event(q.Event)}, Filter: q.Filter.document()})
	}
	return c
}

func (p *notificationFilterProperty) document() *s3.NotificationConfigurationFilter {
	if p == nil {
		return nil
	}
	f := &s3.NotificationConfigurationFilter{Key: &s3.S3KeyFilter{}}
	for _, r := range p.S3Key.Rules {
		f.Key.FilterRules = append(f.Key.FilterRules, s3.FilterRule{Name: s3.FilterRuleName(r.Name), Value: &r.Value})
	}
	return f
}

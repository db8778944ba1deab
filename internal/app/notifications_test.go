package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	sqsapi "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// queue makes a queue and returns its URL and ARN.
func (s *server) queue(name string) (c *client.Client, url, arn string) {
	s.t.Helper()
	c = &client.Client{Model: sqsapi.Model(), Config: s.as(s.Access())}
	var made sqsapi.CreateQueueOutput
	if err := c.Call(s.t.Context(), "CreateQueue", &sqsapi.CreateQueueInput{QueueName: &name}, &made); err != nil {
		s.t.Fatal(err)
	}
	return c, *made.QueueUrl, "arn:aws:sqs:us-east-1:123456789012:" + name
}

// received waits for the next message and removes it.
func received(t *testing.T, c *client.Client, url string) map[string]any {
	t.Helper()
	var out sqsapi.ReceiveMessageOutput
	if err := c.Call(t.Context(), "ReceiveMessage", &sqsapi.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: ptr(int32(10))}, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Messages) != 1 {
		t.Fatalf("%d messages", len(out.Messages))
	}
	if err := c.Call(t.Context(), "DeleteMessage", &sqsapi.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: out.Messages[0].ReceiptHandle}, nil); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(*out.Messages[0].Body), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestNotifications has a bucket tell a queue what happens to its objects, once the
// queue's policy lets S3 in.
func TestNotifications(t *testing.T) {
	s := start(t, testConfig(t))
	ctx, b := t.Context(), ptr("told")
	if _, err := s.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}); err != nil {
		t.Fatal(err)
	}
	c, url, arn := s.queue("events")
	subscribe := func() error {
		_, err := s.s3().PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: b, NotificationConfiguration: &types.NotificationConfiguration{
			QueueConfigurations: []types.QueueConfiguration{{QueueArn: &arn, Id: ptr("mine"), Events: []types.Event{"s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"},
				Filter: &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{FilterRules: []types.FilterRule{{Name: "prefix", Value: ptr("in/")}}}}}},
		}})
		return err
	}
	if err := subscribe(); err == nil || !strings.Contains(err.Error(), "Unable to validate the following destination configurations") {
		t.Errorf("a queue that lets nobody in: %v", err)
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + arn + `",
		"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::told"},"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`
	if err := c.Call(ctx, "SetQueueAttributes", &sqsapi.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[sqsapi.QueueAttributeName]string{"Policy": policy}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := subscribe(); err != nil {
		t.Fatal(err)
	}
	if m := received(t, c, url); m["Event"] != "s3:TestEvent" || m["Bucket"] != "told" {
		t.Errorf("test message: %v", m)
	}
	put := func(key string) {
		t.Helper()
		if _, err := s.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: &key, Body: strings.NewReader("words")}); err != nil {
			t.Fatal(err)
		}
	}
	put("out/of reach")
	put("in/a b+é")
	record := received(t, c, url)["Records"].([]any)[0].(map[string]any)
	object := record["s3"].(map[string]any)["object"].(map[string]any)
	if record["eventName"] != "ObjectCreated:Put" || record["awsRegion"] != "us-east-1" || object["key"] != "in/a+b%2B%C3%A9" || object["size"] != 5.0 ||
		object["eTag"] != "cba5026c3ef1f9f2f8b2d4d3bb6ae2f5" && len(object["eTag"].(string)) != 32 || record["s3"].(map[string]any)["configurationId"] != "mine" {
		t.Errorf("record: %v", record)
	}
	if at, err := time.Parse(time.RFC3339, record["eventTime"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("time: %v, %v", at, err)
	}
	if _, err := s.s3().DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: ptr("in/a b+é")}); err != nil {
		t.Fatal(err)
	}
	if r := received(t, c, url)["Records"].([]any)[0].(map[string]any); r["eventName"] != "ObjectRemoved:Delete" {
		t.Errorf("record: %v", r)
	}
	got, err := s.s3().GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: b})
	if err != nil || len(got.QueueConfigurations) != 1 || got.QueueConfigurations[0].Filter.Key.FilterRules[0].Name != "Prefix" {
		t.Errorf("configuration: %+v, %v", got, err)
	}
}

func TestNotificationConfigurations(t *testing.T) {
	s := start(t, testConfig(t))
	ctx, b := t.Context(), ptr("told")
	if _, err := s.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}); err != nil {
		t.Fatal(err)
	}
	arn, none := "arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sqs:us-east-1:123456789012:none"
	queue := func(id, arn string, events ...types.Event) types.QueueConfiguration {
		return types.QueueConfiguration{Id: &id, QueueArn: &arn, Events: events}
	}
	for _, c := range []struct {
		name string
		cfg  types.NotificationConfiguration
		skip bool
		want string
	}{
		{"nothing", types.NotificationConfiguration{}, false, ""},
		{"no queue", types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{queue("a", none, "s3:ObjectCreated:*")}}, false, "InvalidArgument: Unable to validate the following destination configurations"},
		{"not looked at", types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{queue("a", none, "s3:ObjectCreated:*")}}, true, ""},
		{"no arn", types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{queue("a", "queue", "s3:ObjectCreated:*")}}, true, "InvalidArgument: The ARN could not be parsed"},
		{"overlap", types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{queue("a", arn, "s3:ObjectCreated:*"), queue("b", arn, "s3:ObjectCreated:Put")}}, true,
			"InvalidArgument: Configurations overlap. Configurations on the same bucket cannot share a common event type."},
		{"one id", types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{queue("a", arn, "s3:ObjectCreated:Copy"), queue("a", arn, "s3:ObjectCreated:Put")}}, true,
			"InvalidArgument: Same ID used for multiple configurations. IDs must be unique"},
		{"lambda", types.NotificationConfiguration{LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{{LambdaFunctionArn: ptr("arn:aws:lambda:us-east-1:1:function:f"), Events: []types.Event{"s3:ObjectCreated:*"}}}}, true, "NotImplemented"},
		{"event bridge", types.NotificationConfiguration{EventBridgeConfiguration: &types.EventBridgeConfiguration{}}, true, "NotImplemented"},
	} {
		_, err := s.s3().PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: b, NotificationConfiguration: &c.cfg, SkipDestinationValidation: awssdk.Bool(c.skip)})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

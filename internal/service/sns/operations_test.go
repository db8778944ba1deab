package sns_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", map[string]string{"DisplayName": "d"})
	fifo := l.topic("f.fifo", map[string]string{"FifoTopic": "true"})
	sub := l.subscribe(topic, "sqs", queueARN, nil)
	none := aws.Ptr("arn:aws:sns:us-east-1:123456789012:none")
	x := aws.Ptr("x")
	publish := func(topic *string, text string) *api.PublishInput {
		return &api.PublishInput{TopicArn: topic, Message: &text}
	}
	structured := publish(topic, `{"sqs":"x"}`)
	structured.MessageStructure = aws.Ptr("json")
	subject := publish(topic, "x")
	subject.Subject = aws.Ptr("a\nb")
	grouped := publish(fifo, "x")
	grouped.MessageGroupId = x
	subscribe := func(protocol, endpoint string, a map[string]string) *api.SubscribeInput {
		return &api.SubscribeInput{TopicArn: topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: a}
	}
	create := func(name string, a map[string]string) *api.CreateTopicInput {
		return &api.CreateTopicInput{Name: &name, Attributes: a}
	}
	for _, c := range []struct {
		name, operation, code, text string
		in                          any
	}{
		{"no such topic", "Publish", "NotFound", "Topic does not exist", publish(none, "x")},
		{"no ARN", "Publish", "InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1", publish(x, "x")},
		{"no target", "Publish", "InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter", publish(nil, "x")},
		{"empty", "Publish", "InvalidParameter", "Invalid parameter: Empty message", publish(topic, "")},
		{"too long", "Publish", "InvalidParameter", "Invalid parameter: Message too long", publish(topic, strings.Repeat("x", 256<<10+1))},
		{"structure", "Publish", "InvalidParameter", "Invalid parameter: Message Structure - No default entry in JSON message body", structured},
		{"subject", "Publish", "InvalidParameter", "Invalid parameter: Subject", subject},
		{"phone", "Publish", "NotImplemented", "", &api.PublishInput{PhoneNumber: aws.Ptr("+1"), Message: x}},
		{"no group", "Publish", "InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required for FIFO topics", publish(fifo, "x")},
		{"no deduplication", "Publish", "InvalidParameter", "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly", grouped},
		{"name", "CreateTopic", "InvalidParameter", "Invalid parameter: Topic Name", create("a b", nil)},
		{"fifo without its suffix", "CreateTopic", "InvalidParameter", "", create("a", map[string]string{"FifoTopic": "true"})},
		{"other attributes", "CreateTopic", "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes", create("t", map[string]string{"DisplayName": "e"})},
		{"unknown attribute", "CreateTopic", "InvalidParameter", "Invalid parameter: AttributeName", create("n", map[string]string{"Nonsense": "1"})},
		{"key", "CreateTopic", "NotImplemented", "", create("n", map[string]string{"KmsMasterKeyId": "alias/mine"})},
		{"e-mail", "Subscribe", "InvalidParameter", "Invalid parameter: Protocol Reason: hardstand cannot deliver by email; it delivers by sqs, http and https", subscribe("email", "a@example.com", nil)},
		{"protocol", "Subscribe", "InvalidParameter", "Invalid parameter: Amazon SNS does not support this protocol string: x", subscribe("x", "y", nil)},
		{"endpoint", "Subscribe", "InvalidParameter", "Invalid parameter: SQS endpoint ARN", subscribe("sqs", "y", nil)},
		{"scheme", "Subscribe", "InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol", subscribe("https", "http://x", nil)},
		{"fifo queue", "Subscribe", "InvalidParameter", "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics", subscribe("sqs", queueARN+".fifo", nil)},
		{"raw", "Subscribe", "InvalidParameter", "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [x]. Must be true or false.", subscribe("sqs", queueARN+"2", map[string]string{"RawMessageDelivery": "x"})},
		{"delivery policy of a topic", "Subscribe", "InvalidParameter", "Invalid parameter: Attributes Reason: DeliveryPolicy: Unexpected JSON member: http",
			subscribe("http", "http://127.0.0.1/", map[string]string{"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"numRetries":1}}}`})},
		{"delivery policy of a subscription", "SetTopicAttributes", "InvalidParameter", "Invalid parameter: DeliveryPolicy: Unexpected JSON member: healthyRetryPolicy",
			&api.SetTopicAttributesInput{TopicArn: topic, AttributeName: aws.Ptr("DeliveryPolicy"), AttributeValue: aws.Ptr(`{"http":{"healthyRetryPolicy":{"numRetries":1}}}`)}},
		{"filter", "Subscribe", "InvalidParameter", `Invalid parameter: Attributes Reason: FilterPolicy: "a" must be an object or an array`, subscribe("sqs", queueARN+"2", map[string]string{"FilterPolicy": `{"a":"b"}`})},
		{"twice with others", "Subscribe", "InvalidParameter", "Invalid parameter: Attributes Reason: Subscription already exists with different attributes", subscribe("sqs", queueARN, map[string]string{"RawMessageDelivery": "true"})},
		{"token", "ConfirmSubscription", "InvalidParameter", "Invalid parameter: Token", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: aws.Ptr("abc123")}},
		{"token of no form", "ConfirmSubscription", "InvalidParameter", "Invalid token", &api.ConfirmSubscriptionInput{TopicArn: topic, Token: x}},
		{"topic to confirm", "ConfirmSubscription", "InvalidParameter", "Invalid parameter: Topic", &api.ConfirmSubscriptionInput{TopicArn: x, Token: aws.Ptr("abc123")}},
		{"mobile endpoint", "Publish", "InvalidParameter", "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
			&api.PublishInput{TargetArn: aws.Ptr("arn:aws:sns:us-east-1:123456789012:endpoint/APNS/a/b"), Message: x}},
		{"dead letters of a FIFO queue", "Subscribe", "InvalidParameter", "Invalid parameter: Attributes Reason: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.",
			&api.SubscribeInput{TopicArn: fifo, Protocol: aws.Ptr("sqs"), Endpoint: aws.Ptr(queueARN + ".fifo"), Attributes: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + queueARN + `"}`}}},
		{"one without a group", "PublishBatch", "InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
			&api.PublishBatchInput{TopicArn: fifo, PublishBatchRequestEntries: []api.PublishBatchRequestEntry{{Id: x, Message: x}}}},
		{"one with a bad attribute", "PublishBatch", "ParameterValueInvalid", "Invalid message attribute name starting with character '.' was found.",
			&api.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: []api.PublishBatchRequestEntry{{Id: x, Message: x, MessageAttributes: map[string]api.MessageAttributeValue{".a": {DataType: aws.Ptr("String"), StringValue: x}}}}}},
		{"batch too long", "PublishBatch", "BatchRequestTooLong", "The length of all the messages put together is more than the limit.",
			&api.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: []api.PublishBatchRequestEntry{{Id: x, Message: aws.Ptr(strings.Repeat("x", 256<<10+1))}}}},
		{"no such subscription", "GetSubscriptionAttributes", "NotFound", "Subscription does not exist", &api.GetSubscriptionAttributesInput{SubscriptionArn: aws.Ptr(*sub + "0")}},
		{"unsubscribe what", "Unsubscribe", "InvalidParameter", "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1", &api.UnsubscribeInput{SubscriptionArn: x}},
		{"attribute", "SetSubscriptionAttributes", "InvalidParameter", "Invalid parameter: AttributeName", &api.SetSubscriptionAttributesInput{SubscriptionArn: sub, AttributeName: x, AttributeValue: x}},
		{"policy", "SetTopicAttributes", "InvalidParameter", "", &api.SetTopicAttributesInput{TopicArn: topic, AttributeName: aws.Ptr("Policy"), AttributeValue: aws.Ptr("{}")}},
		{"no tags", "ListTagsForResource", "ResourceNotFound", "Resource does not exist", &api.ListTagsForResourceInput{ResourceArn: none}},
		{"tags twice", "TagResource", "InvalidParameter", "Invalid parameter: Duplicated keys are not allowed.", &api.TagResourceInput{ResourceArn: topic, Tags: []api.Tag{{Key: x, Value: x}, {Key: x, Value: x}}}},
		{"no entries", "PublishBatch", "EmptyBatchRequest", "The batch request doesn't contain any entries.", &api.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: []api.PublishBatchRequestEntry{}}},
		{"not built", "CreatePlatformApplication", "NotImplemented", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Server.Invoke(l.Ctx, "sns", c.operation, c.in)
			if e := awserr.As(err); e == nil || e.Code != c.code || c.text != "" && e.Message != c.text {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestMessageAttributesThatAreRefused(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", nil)
	text := func(dataType, value string) api.MessageAttributeValue {
		return api.MessageAttributeValue{DataType: &dataType, StringValue: &value}
	}
	binary := func(dataType, value string) api.MessageAttributeValue {
		return api.MessageAttributeValue{DataType: &dataType, BinaryValue: []byte(value)}
	}
	for _, c := range []struct {
		name  string
		value api.MessageAttributeValue
		want  string
	}{
		{"a", text("String", ""), "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'."},
		{"a", binary("Binary", ""), "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'Binary'."},
		{"a", binary("Number", "1"), "The message attribute 'a' with type 'Number' must use field 'String'."},
		{"a", text("Binary", "1"), "The message attribute 'a' with type 'Binary' must use field 'Binary'."},
		{"a", text("Text", "1"), "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."},
		{strings.Repeat("a", 257), text("String", "1"), "Length of message attribute name must be less than 256 bytes."},
		{"a^", text("String", "1"), "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots."},
		{".a", text("String", "1"), "Invalid message attribute name starting with character '.' was found."},
		{"a.", text("String", "1"), "Invalid message attribute name ending with character '.' was found."},
		{"a..b", text("String", "1"), "Message attribute name can not have successive '.' character."},
	} {
		_, err := l.Server.Invoke(l.Ctx, "sns", "Publish", &api.PublishInput{TopicArn: topic, Message: aws.Ptr("x"), MessageAttributes: map[string]api.MessageAttributeValue{c.name: c.value}})
		if e := awserr.As(err); e == nil || e.Code != "ParameterValueInvalid" || e.Message != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPermissionsAndAccounts(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", nil)
	other := wiretest.As(t.Context(), aws.Principal{Type: aws.PrincipalRoot, Account: "210987654321", ARN: "arn:aws:iam::210987654321:root"})
	in := &api.PublishInput{TopicArn: topic, Message: aws.Ptr("x")}
	if _, err := wire.Call[api.PublishOutput](other, l.Server, "sns", "Publish", in); !awserr.Is(err, "AccessDenied") {
		t.Errorf("without a permission: %v", err)
	}
	wiretest.Must[api.AddPermissionOutput](l, "AddPermission", &api.AddPermissionInput{TopicArn: topic, Label: aws.Ptr("l"), AWSAccountId: []string{"210987654321"}, ActionName: []string{"Publish"}})
	if _, err := wire.Call[api.PublishOutput](other, l.Server, "sns", "Publish", in); err != nil {
		t.Errorf("with it: %v", err)
	}
	wiretest.Must[api.RemovePermissionOutput](l, "RemovePermission", &api.RemovePermissionInput{TopicArn: topic, Label: aws.Ptr("l")})
	if _, err := wire.Call[api.PublishOutput](other, l.Server, "sns", "Publish", in); !awserr.Is(err, "AccessDenied") {
		t.Errorf("taken back: %v", err)
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	actions := map[string]bool{}
	for _, op := range newLab(t, gate{}).svc.Wire().Operations {
		actions[op.Action] = true
	}
	l := newLab(t, gate{denied: actions})
	topic, sub, x := aws.Ptr("arn:aws:sns:us-east-1:123456789012:t"), aws.Ptr("arn:aws:sns:us-east-1:123456789012:t:s"), aws.Ptr("x")
	inputs := map[string]any{
		"CreateTopic": &api.CreateTopicInput{Name: x}, "DeleteTopic": &api.DeleteTopicInput{TopicArn: topic}, "ListTopics": &api.ListTopicsInput{},
		"GetTopicAttributes": &api.GetTopicAttributesInput{TopicArn: topic}, "SetTopicAttributes": &api.SetTopicAttributesInput{TopicArn: topic, AttributeName: x},
		"AddPermission":    &api.AddPermissionInput{TopicArn: topic, Label: x, AWSAccountId: []string{}, ActionName: []string{}},
		"RemovePermission": &api.RemovePermissionInput{TopicArn: topic, Label: x},
		"Publish":          &api.PublishInput{TopicArn: topic, Message: x}, "PublishBatch": &api.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: []api.PublishBatchRequestEntry{}},
		"Subscribe": &api.SubscribeInput{TopicArn: topic, Protocol: x}, "Unsubscribe": &api.UnsubscribeInput{SubscriptionArn: sub},
		"GetSubscriptionAttributes": &api.GetSubscriptionAttributesInput{SubscriptionArn: sub},
		"SetSubscriptionAttributes": &api.SetSubscriptionAttributesInput{SubscriptionArn: sub, AttributeName: x},
		"ListSubscriptions":         &api.ListSubscriptionsInput{}, "ListSubscriptionsByTopic": &api.ListSubscriptionsByTopicInput{TopicArn: topic},
		"TagResource": &api.TagResourceInput{ResourceArn: topic, Tags: []api.Tag{}}, "UntagResource": &api.UntagResourceInput{ResourceArn: topic, TagKeys: []string{}},
		"ListTagsForResource": &api.ListTagsForResourceInput{ResourceArn: topic},
	}
	for _, op := range l.svc.Wire().Operations {
		if op.Free != "" {
			continue
		}
		if _, err := l.Server.Invoke(l.Ctx, "sns", op.Name, inputs[op.Name]); !awserr.Is(err, "AccessDenied") {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}

func TestResources(t *testing.T) {
	l := newLab(t, gate{})
	topic := *l.topic("owned", nil)
	types := l.svc.Resources()
	document := func(action string) map[string]any {
		return map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}}}
	}
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::SNS::Topic"], Type: "AWS::SNS::Topic", Context: l.Ctx,
		Properties: map[string]any{"DisplayName": "a", "Tags": []any{map[string]any{"Key": "k", "Value": "v"}},
			"Subscription": []any{map[string]any{"Protocol": "sqs", "Endpoint": queueARN}}},
		Changed: map[string]any{"SignatureVersion": "2", "Subscription": []any{map[string]any{"Protocol": "sqs", "Endpoint": queueARN + "2"}}},
	})
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::SNS::Subscription"], Type: "AWS::SNS::Subscription", Context: l.Ctx,
		Properties: map[string]any{"TopicArn": topic, "Protocol": "sqs", "Endpoint": queueARN, "RawMessageDelivery": "true"},
		Changed: map[string]any{"TopicArn": topic, "Protocol": "sqs", "Endpoint": queueARN, "FilterPolicyScope": "MessageBody",
			"FilterPolicy": map[string]any{"a": map[string]any{"b": []any{"c"}}}},
	})
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::SNS::TopicPolicy"], Type: "AWS::SNS::TopicPolicy", Context: l.Ctx,
		Properties: map[string]any{"Topics": []any{topic}, "PolicyDocument": document("sns:Publish")},
		Changed:    map[string]any{"Topics": []any{topic}, "PolicyDocument": document("sns:*")},
	})
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::SNS::TopicInlinePolicy"], Type: "AWS::SNS::TopicInlinePolicy", Context: l.Ctx,
		Properties: map[string]any{"TopicArn": topic, "PolicyDocument": document("sns:Publish")},
	})
}

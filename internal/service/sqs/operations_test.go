package sqs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// Digests as AWS computes them.
func TestDigests(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", nil)
	out := wiretest.Must[api.SendMessageOutput](l, "SendMessage", &api.SendMessageInput{QueueUrl: u, MessageBody: aws.Ptr("Test Message"),
		MessageAttributes:       map[string]api.MessageAttributeValue{"Hello": {DataType: aws.Ptr("String"), StringValue: aws.Ptr("World")}},
		MessageSystemAttributes: map[api.MessageSystemAttributeNameForSends]api.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.Ptr("String"), StringValue: aws.Ptr("some-trace-id")}}})
	for got, want := range map[string]string{*out.MD5OfMessageBody: "d1d4180b7e411c4be86b00fb2ee103eb",
		*out.MD5OfMessageAttributes: "7db7fb1ba7f41366a8ea5eb18220b26d", *out.MD5OfMessageSystemAttributes: "fdce4f2818803f2f73becc09a54792c0"} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", attrs{"MaximumMessageSize": "1024"})
	f := l.queue("f.fifo", attrs{"FifoQueue": "true"})
	none := aws.Ptr(*u + "none")
	send := func(url *string, body string) *api.SendMessageInput {
		return &api.SendMessageInput{QueueUrl: url, MessageBody: &body}
	}
	withGroup := send(f, "x")
	withGroup.MessageGroupId = aws.Ptr("g")
	delayed := send(u, "x")
	delayed.DelaySeconds = aws.Ptr[int32](901)
	dedup := send(u, "x")
	dedup.MessageDeduplicationId = aws.Ptr("d")
	create := func(name string, a attrs) *api.CreateQueueInput {
		return &api.CreateQueueInput{QueueName: &name, Attributes: a}
	}
	set := func(a attrs) *api.SetQueueAttributesInput {
		return &api.SetQueueAttributesInput{QueueUrl: u, Attributes: a}
	}
	for _, c := range []struct {
		name, operation, code, text string
		in                          any
	}{
		{"no such queue", "SendMessage", "QueueDoesNotExist", "The specified queue does not exist.", send(none, "x")},
		{"not an address", "SendMessage", "InvalidAddress", "The address q is not valid for this endpoint.", send(aws.Ptr("q"), "x")},
		{"no body", "SendMessage", "MissingRequiredParameterException", "The request must contain the parameter MessageBody.", send(u, "")},
		{"left out", "SendMessage", "MissingRequiredParameterException", "The request must contain the parameter QueueUrl.", send(nil, "x")},
		{"too long", "SendMessage", "InvalidParameterValueException", "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", send(u, strings.Repeat("x", 1025))},
		{"control character", "SendMessage", "InvalidMessageContents", "", send(u, "\x01")},
		{"delay", "SendMessage", "InvalidParameterValueException", "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", delayed},
		{"deduplication on a standard queue", "SendMessage", "InvalidParameterValueException", "Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.", dedup},
		{"no group", "SendMessage", "MissingRequiredParameterException", "The request must contain the parameter MessageGroupId.", send(f, "x")},
		{"no deduplication", "SendMessage", "InvalidParameterValueException", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly", withGroup},
		{"receive too many", "ReceiveMessage", "InvalidParameterValueException", "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", &api.ReceiveMessageInput{QueueUrl: u, MaxNumberOfMessages: aws.Ptr[int32](11)}},
		{"wait too long", "ReceiveMessage", "InvalidParameterValueException", "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", &api.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: aws.Ptr[int32](21)}},
		{"handle", "DeleteMessage", "ReceiptHandleIsInvalid", `The input receipt handle "x" is not a valid receipt handle.`, &api.DeleteMessageInput{QueueUrl: u, ReceiptHandle: aws.Ptr("x")}},
		{"other attributes", "CreateQueue", "QueueNameExists", "A queue already exists with the same name and a different value for attribute MaximumMessageSize", create("q", attrs{"MaximumMessageSize": "2048"})},
		{"name", "CreateQueue", "InvalidParameterValueException", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length", create("in.fo", nil)},
		{"fifo without its suffix", "CreateQueue", "InvalidParameterValueException", "", create("n", attrs{"FifoQueue": "true"})},
		{"range", "CreateQueue", "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds.", create("n", attrs{"DelaySeconds": "901"})},
		{"unknown attribute", "CreateQueue", "InvalidAttributeName", "Unknown Attribute Nonsense.", create("n", attrs{"Nonsense": "1"})},
		{"standard later", "SetQueueAttributes", "InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
			&api.SetQueueAttributesInput{QueueUrl: f, Attributes: map[api.QueueAttributeName]string{"FifoQueue": "false"}}},
		{"two encryptions", "SetQueueAttributes", "InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
			set(attrs{"KmsMasterKeyId": "alias/mine", "SqsManagedSseEnabled": "true"})},
		{"batch without a group", "SendMessageBatch", "InvalidParameterValueException", "The request must contain the parameter MessageGroupId.",
			&api.SendMessageBatchInput{QueueUrl: f, Entries: []api.SendMessageBatchRequestEntry{{Id: aws.Ptr("a"), MessageBody: aws.Ptr("x"), MessageDeduplicationId: aws.Ptr("d")}}}},
		{"batch without deduplication", "SendMessageBatch", "InvalidParameterValueException", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
			&api.SendMessageBatchInput{QueueUrl: f, Entries: []api.SendMessageBatchRequestEntry{{Id: aws.Ptr("a"), MessageBody: aws.Ptr("x"), MessageGroupId: aws.Ptr("g")}}}},
		{"own key", "CreateQueue", "NotImplemented", "", create("n", attrs{"KmsMasterKeyId": "alias/mine"})},
		{"policy", "SetQueueAttributes", "InvalidAttributeValue", "Invalid value for the parameter Policy.", set(attrs{"Policy": "{}"})},
		{"fifo later", "SetQueueAttributes", "InvalidAttributeName", "Unknown Attribute FifoQueue.", set(attrs{"FifoQueue": "true"})},
		{"no dead-letter queue", "SetQueueAttributes", "InvalidParameterValueException", "", set(attrs{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:no","maxReceiveCount":1}`})},
		{"dead-letter queue of another kind", "SetQueueAttributes", "InvalidParameterValueException", "", set(attrs{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:f.fifo","maxReceiveCount":1}`})},
		{"no entries", "SendMessageBatch", "EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request.", &api.SendMessageBatchInput{QueueUrl: u, Entries: []api.SendMessageBatchRequestEntry{}}},
		{"twice the id", "DeleteMessageBatch", "BatchEntryIdsNotDistinct", "Id a repeated.", &api.DeleteMessageBatchInput{QueueUrl: u, Entries: []api.DeleteMessageBatchRequestEntry{{Id: aws.Ptr("a"), ReceiptHandle: aws.Ptr("x")}, {Id: aws.Ptr("a"), ReceiptHandle: aws.Ptr("x")}}}},
		{"bad id", "ChangeMessageVisibilityBatch", "InvalidBatchEntryId", "", &api.ChangeMessageVisibilityBatchInput{QueueUrl: u, Entries: []api.ChangeMessageVisibilityBatchRequestEntry{{Id: aws.Ptr("a b"), ReceiptHandle: aws.Ptr("x")}}}},
		{"label", "RemovePermission", "InvalidParameterValueException", "Value l for parameter Label is invalid. Reason: can't find label.", &api.RemovePermissionInput{QueueUrl: u, Label: aws.Ptr("l")}},
		{"no task's source", "StartMessageMoveTask", "ResourceNotFoundException", "", &api.StartMessageMoveTaskInput{SourceArn: aws.Ptr("arn:aws:sqs:us-east-1:123456789012:no")}},
		{"not a dead-letter queue", "StartMessageMoveTask", "InvalidParameterValueException", "Source queue must be configured as a Dead Letter Queue.", &api.StartMessageMoveTaskInput{SourceArn: aws.Ptr("arn:aws:sqs:us-east-1:123456789012:q")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Server.Invoke(l.Ctx, "sqs", c.operation, c.in)
			if e := awserr.As(err); e == nil || e.Code != c.code || c.text != "" && e.Message != c.text {
				t.Errorf("%v", err)
			}
		})
	}
}

// A queue's policy opens it to another account and to a service.
func TestPolicyOpensTheQueue(t *testing.T) {
	l := newLab(t, gate{})
	u := l.queue("q", nil)
	in := &api.SendMessageInput{QueueUrl: u, MessageBody: aws.Ptr("x")}
	service := aws.WithCall(t.Context(), aws.AsService("sns.amazonaws.com", "arn:aws:sns:us-east-1:123456789012:t", account, "us-east-1"))
	if _, err := wire.Call[api.SendMessageOutput](service, l.Server, "sqs", "SendMessage", in); !awserr.Is(err, "AccessDeniedException") {
		t.Errorf("without a policy: %v", err)
	}
	wiretest.Must[api.SetQueueAttributesOutput](l, "SetQueueAttributes", &api.SetQueueAttributesInput{QueueUrl: u, Attributes: attrs{
		"Policy": `{"Statement":{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}}`}})
	if _, err := wire.Call[api.SendMessageOutput](service, l.Server, "sqs", "SendMessage", in); err != nil {
		t.Errorf("with it: %v", err)
	}
	wiretest.Must[api.AddPermissionOutput](l, "AddPermission", &api.AddPermissionInput{QueueUrl: u, Label: aws.Ptr("other"), AWSAccountIds: []string{"210987654321"}, Actions: []string{"*"}})
	other := wiretest.As(t.Context(), aws.Principal{Type: aws.PrincipalRoot, Account: "210987654321", ARN: "arn:aws:iam::210987654321:root"})
	if _, err := wire.Call[api.SendMessageOutput](other, l.Server, "sqs", "SendMessage", in); err != nil {
		t.Errorf("another account: %v", err)
	}
	// Some operations no policy opens.
	if _, err := wire.Call[api.DeleteQueueOutput](other, l.Server, "sqs", "DeleteQueue", &api.DeleteQueueInput{QueueUrl: u}); !awserr.Is(err, "AccessDeniedException") {
		t.Errorf("another account deletes: %v", err)
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	open := newLab(t, gate{})
	actions := map[string]bool{}
	for _, op := range open.svc.Wire().Operations {
		actions[op.Action] = true
	}
	l := newLab(t, gate{denied: actions})
	u, source := aws.Ptr("http://127.0.0.1:4566/123456789012/q"), aws.Ptr("arn:aws:sqs:us-east-1:123456789012:q")
	handle := aws.Ptr("eyJ0YXNrSWQiOiJ0Iiwic291cmNlQXJuIjoiYXJuOmF3czpzcXM6dXMtZWFzdC0xOjEyMzQ1Njc4OTAxMjpxIn0=")
	x, zero := aws.Ptr("x"), aws.Ptr[int32](0)
	inputs := map[string]any{
		"CreateQueue": &api.CreateQueueInput{QueueName: x}, "GetQueueUrl": &api.GetQueueUrlInput{QueueName: x}, "ListQueues": &api.ListQueuesInput{},
		"GetQueueAttributes": &api.GetQueueAttributesInput{QueueUrl: u}, "SetQueueAttributes": &api.SetQueueAttributesInput{QueueUrl: u, Attributes: attrs{}},
		"DeleteQueue": &api.DeleteQueueInput{QueueUrl: u}, "PurgeQueue": &api.PurgeQueueInput{QueueUrl: u},
		"SendMessage":                  &api.SendMessageInput{QueueUrl: u, MessageBody: x},
		"SendMessageBatch":             &api.SendMessageBatchInput{QueueUrl: u, Entries: []api.SendMessageBatchRequestEntry{}},
		"ReceiveMessage":               &api.ReceiveMessageInput{QueueUrl: u},
		"DeleteMessage":                &api.DeleteMessageInput{QueueUrl: u, ReceiptHandle: x},
		"DeleteMessageBatch":           &api.DeleteMessageBatchInput{QueueUrl: u, Entries: []api.DeleteMessageBatchRequestEntry{}},
		"ChangeMessageVisibility":      &api.ChangeMessageVisibilityInput{QueueUrl: u, ReceiptHandle: x, VisibilityTimeout: zero},
		"ChangeMessageVisibilityBatch": &api.ChangeMessageVisibilityBatchInput{QueueUrl: u, Entries: []api.ChangeMessageVisibilityBatchRequestEntry{}},
		"ListDeadLetterSourceQueues":   &api.ListDeadLetterSourceQueuesInput{QueueUrl: u},
		"StartMessageMoveTask":         &api.StartMessageMoveTaskInput{SourceArn: source}, "ListMessageMoveTasks": &api.ListMessageMoveTasksInput{SourceArn: source},
		"CancelMessageMoveTask": &api.CancelMessageMoveTaskInput{TaskHandle: handle},
		"AddPermission":         &api.AddPermissionInput{QueueUrl: u, Label: x, AWSAccountIds: []string{}, Actions: []string{}},
		"RemovePermission":      &api.RemovePermissionInput{QueueUrl: u, Label: x},
		"TagQueue":              &api.TagQueueInput{QueueUrl: u, Tags: map[string]string{}}, "UntagQueue": &api.UntagQueueInput{QueueUrl: u, TagKeys: []string{}},
		"ListQueueTags": &api.ListQueueTagsInput{QueueUrl: u},
	}
	for _, op := range l.svc.Wire().Operations {
		if _, err := l.Server.Invoke(l.Ctx, "sqs", op.Name, inputs[op.Name]); !awserr.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}

func TestPagesAndTags(t *testing.T) {
	l := newLab(t, gate{})
	for _, name := range []string{"a1", "a2", "a3", "b"} {
		l.queue(name, nil)
	}
	var got []string
	in := &api.ListQueuesInput{QueueNamePrefix: aws.Ptr("a"), MaxResults: aws.Ptr[int32](2)}
	for {
		out := wiretest.Must[api.ListQueuesOutput](l, "ListQueues", in)
		got = append(got, out.QueueUrls...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(got) != 3 || !slices.IsSorted(got) {
		t.Errorf("listed %v", got)
	}
	u := &got[0]
	wiretest.Must[api.TagQueueOutput](l, "TagQueue", &api.TagQueueInput{QueueUrl: u, Tags: map[string]string{"k": "v", "l": "w"}})
	wiretest.Must[api.UntagQueueOutput](l, "UntagQueue", &api.UntagQueueInput{QueueUrl: u, TagKeys: []string{"l", "absent"}})
	if tags := wiretest.Must[api.ListQueueTagsOutput](l, "ListQueueTags", &api.ListQueueTagsInput{QueueUrl: u}).Tags; len(tags) != 1 || tags["k"] != "v" {
		t.Errorf("tags %v", tags)
	}
}

func TestResources(t *testing.T) {
	l := newLab(t, gate{})
	u := *l.queue("owned", nil)
	types := l.svc.Resources()
	document := func(action string) map[string]any {
		return map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}}}
	}
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::SQS::Queue"], Type: "AWS::SQS::Queue", Context: l.Ctx,
		Properties: map[string]any{"DelaySeconds": "5", "FifoQueue": true, "ContentBasedDeduplication": true, "Tags": []any{map[string]any{"Key": "k", "Value": "v"}}},
		Changed:    map[string]any{"VisibilityTimeout": "60", "FifoQueue": true},
	})
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::SQS::QueuePolicy"], Type: "AWS::SQS::QueuePolicy", Context: l.Ctx,
		Properties: map[string]any{"Queues": []any{u}, "PolicyDocument": document("sqs:SendMessage")},
		Changed:    map[string]any{"Queues": []any{u}, "PolicyDocument": document("sqs:*")},
	})
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::SQS::QueueInlinePolicy"], Type: "AWS::SQS::QueueInlinePolicy", Context: l.Ctx,
		Properties: map[string]any{"Queue": u, "PolicyDocument": document("sqs:SendMessage")},
		Changed:    map[string]any{"Queue": u, "PolicyDocument": document("sqs:*")},
	})
}

package wire_test

import (
	"context"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// echo answers with what it was asked.
func echo(_ context.Context, in *sqs.SendMessageInput) (*sqs.SendMessageOutput, error) {
	if *in.MessageBody == "lost" {
		return nil, awserr.New("QueueDoesNotExist", "The specified queue does not exist.")
	}
	attribute := in.MessageAttributes["k"].StringValue
	return &sqs.SendMessageOutput{MessageId: in.QueueUrl, MD5OfMessageBody: attribute}, nil
}

func attributes(context.Context, *sqs.GetQueueAttributesInput) (*sqs.GetQueueAttributesOutput, error) {
	return &sqs.GetQueueAttributesOutput{Attributes: map[sqs.QueueAttributeName]string{"DelaySeconds": "1"}}, nil
}

// TestProtocols speaks to one service in each of its protocols.
func TestProtocols(t *testing.T) {
	public := func(_ context.Context, _ *sqs.SendMessageInput) ([]aws.Check, error) {
		return []aws.Check{{Resource: "/public"}}, nil
	}
	server := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: &refuser{}, Account: "123456789012", Region: "us-east-1"})
	err := server.Register(wire.Service{Model: sqs.Model(), Anonymous: true, Address: "QueueUrl", Operations: []wire.Operation{
		wire.Op("SendMessage", "sqs:SendMessage", echo, public),
		wire.Op("GetQueueAttributes", "sqs:GetQueueAttributes", attributes, func(context.Context, *sqs.GetQueueAttributesInput) ([]aws.Check, error) {
			return []aws.Check{{Resource: "/public"}}, nil
		}),
		wire.Op("PurgeQueue", "sqs:PurgeQueue", never[sqs.PurgeQueueInput, sqs.PurgeQueueOutput], nil),
	}})
	if err != nil {
		t.Fatal(err)
	}
	const form = "Version=2012-11-05&MessageAttribute.1.Name=k&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v&"
	tests := []struct {
		name, path, target, body string
		status                   int
		want, queryError         string
	}{
		{"json", "/", "SendMessage", `{"QueueUrl":"u","MessageBody":"b","MessageAttributes":{"k":{"DataType":"String","StringValue":"v"}}}`,
			200, `{"MD5OfMessageBody":"v","MessageId":"u"}`, ""},
		{"query", "/", "", form + "Action=SendMessage&QueueUrl=u&MessageBody=b", 200,
			`<SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><SendMessageResult><MD5OfMessageBody>v</MD5OfMessageBody>` +
				`<MessageId>u</MessageId></SendMessageResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></SendMessageResponse>`, ""},
		{"query to an address", "/1/q", "", form + "Action=SendMessage&MessageBody=b", 200,
			`<SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><SendMessageResult><MD5OfMessageBody>v</MD5OfMessageBody>` +
				`<MessageId>http://example.com/1/q</MessageId></SendMessageResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></SendMessageResponse>`, ""},
		{"names of the query protocol", "/1/q", "", "Action=GetQueueAttributes&AttributeName.1=All", 200,
			`<GetQueueAttributesResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><GetQueueAttributesResult><Attribute><Name>DelaySeconds</Name>` +
				`<Value>1</Value></Attribute></GetQueueAttributesResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetQueueAttributesResponse>`, ""},
		{"json error", "/", "SendMessage", `{"QueueUrl":"u","MessageBody":"lost"}`, 400,
			`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`, "AWS.SimpleQueueService.NonExistentQueue;Sender"},
		{"query error", "/", "", "Action=SendMessage&QueueUrl=u&MessageBody=lost", 400,
			`<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>` +
				`<Message>The specified queue does not exist.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`, ""},
		{"json refusal", "/", "PurgeQueue", `{"QueueUrl":"u"}`, 403, `{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"User: anonymous is not ` +
			`authorized to perform: sqs:PurgeQueue because no identity-based policy allows the sqs:PurgeQueue action"}`, "AccessDenied;Sender"},
		{"query without operation", "/", "", "QueueUrl=u", 400, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidRequest</Code>` +
			`<Message>No service of this server is meant by the request.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`, ""},
	}
	ids := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", tt.path, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.target != "" {
				r.Header.Set("Content-Type", "application/x-amz-json-1.0")
				r.Header.Set("X-Amz-Target", "AmazonSQS."+tt.target)
			}
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			got := ids.ReplaceAllString(w.Body.String(), "ID")
			if w.Code != tt.status || got != tt.want || w.Header().Get("x-amzn-query-error") != tt.queryError {
				t.Errorf("got %d %s %s\nwant %d %s", w.Code, w.Header().Get("x-amzn-query-error"), got, tt.status, tt.want)
			}
		})
	}
}

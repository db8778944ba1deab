package awscli

import (
	"strings"
	"testing"
)

func TestObserve(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.answers = map[string]string{
		"Logs_20140328.CreateLogGroup": ``, "Logs_20140328.CreateLogStream": ``, "Logs_20140328.PutLogEvents": `{"nextSequenceToken":"49"}`,
		"GraniteServiceVersion20100801.PutMetricData": `{}`, "AmazonSQS.SendMessage": `{"MessageId":"m"}`, "AmazonSQS.ReceiveMessage": `{}`,
		"Publish": `{"PublishResponse":{"PublishResult":{"MessageId":"p"}}}`,
	}
	for _, s := range []struct{ line, out, sent string }{
		{"logs create-log-group --log-group-name g", "", `{"logGroupName":"g"}`},
		{"logs create-log-stream --log-group-name g --log-stream-name s", "", `"logStreamName":"s"`},
		{"logs put-log-events --log-group-name g --log-stream-name s --log-events timestamp=5,message=hi", `"nextSequenceToken": "49"`, `"logEvents":[{"message":"hi","timestamp":5}]`},
		{`logs put-log-events --log-group-name g --log-stream-name s --log-events [{"timestamp":5,"message":"a,b"}]`, "49", `"message":"a,b"`},
		{"cloudwatch put-metric-data --namespace N --metric-name m --value 1.5 --unit Count --dimensions Host=a,Zone=b", "",
			`{"MetricData":[{"Dimensions":[{"Name":"Host","Value":"a"},{"Name":"Zone","Value":"b"}],"MetricName":"m","Unit":"Count","Value":1.5}],"Namespace":"N"}`},
		{"cloudwatch put-metric-data --namespace N --metric-data MetricName=m,Value=2,Timestamp=2024-01-01T00:00:00Z", "", `[{"MetricName":"m","Timestamp":1704067200,"Value":2}]`},
		{"sns publish --topic-arn arn:t --message hi", `"MessageId": "p"`, "Message=hi"},
		{"sqs send-message --queue-url http://q --message-body hi --delay-seconds 3 --region eu-west-1", `"MessageId": "m"`, `{"DelaySeconds":3,"MessageBody":"hi","QueueUrl":"http://q"}`},
		{"sqs receive-message --queue-url http://q --wait-time-seconds 2", "", `"WaitTimeSeconds":2`},
	} {
		a.run(t, s.line, 0, s.out)
		if last := c.seen[len(c.seen)-1]; !strings.Contains(last, s.sent) {
			t.Errorf("%s sent %s", s.line, last)
		}
	}
	a.run(t, "logs put-log-events --log-group-name g", 252, "--log-stream-name, --log-events")
	a.run(t, "cloudwatch put-metric-data --namespace N --metric-data MetricName=m,Value=2 --metric-name n", 252,
		`The key "metric_name" cannot be specified when one of the following keys are also specified: metric_data`)
	a.run(t, "cloudwatch put-metric-data --namespace N --metric-data Dimensions=[{Name=a,Value=b}]", 252, "does not know")
}

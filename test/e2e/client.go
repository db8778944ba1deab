package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// clients are the SDK's, by the names of services in stories.
func clients(ctx context.Context) (map[string]any, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"cloudformation": cloudformation.NewFromConfig(cfg), "codedeploy": codedeploy.NewFromConfig(cfg), "ec2": ec2.NewFromConfig(cfg),
		"iam": iam.NewFromConfig(cfg), "s3": s3.NewFromConfig(cfg), "ssm": ssm.NewFromConfig(cfg), "sts": sts.NewFromConfig(cfg),
		"secretsmanager": secretsmanager.NewFromConfig(cfg),
		"autoscaling":    autoscaling.NewFromConfig(cfg),
		"logs":           cloudwatchlogs.NewFromConfig(cfg),
		"monitoring":     cloudwatch.NewFromConfig(cfg),
		"sqs":            sqs.NewFromConfig(cfg),
		"route53":        route53.NewFromConfig(cfg),
		"sns":            sns.NewFromConfig(cfg),
		"ecr":            ecr.NewFromConfig(cfg),
		"elb":            elasticloadbalancing.NewFromConfig(cfg),
		"kms":            kms.NewFromConfig(cfg),
		"elbv2":          elasticloadbalancingv2.NewFromConfig(cfg),
	}, nil
}

// call runs an operation by its name and returns its answer as JSON values.
func call(ctx context.Context, client any, operation, input string) (any, error) {
	method := reflect.ValueOf(client).MethodByName(operation)
	if !method.IsValid() {
		return nil, fmt.Errorf("the SDK has no operation %s", operation)
	}
	in := reflect.New(method.Type().In(1).Elem())
	if err := decodeInput(input, in); err != nil {
		return nil, fmt.Errorf("input of %s: %w", operation, err)
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	if err, ok := results[1].Interface().(error); ok {
		return nil, err
	}
	return encodeOutput(results[0])
}

// decodeInput fills in an input; the case of member names does not matter to
// encoding/json, and so the API's own names fit the SDK's fields.
func decodeInput(input string, in reflect.Value) error {
	var values map[string]any
	if err := json.Unmarshal([]byte(input), &values); err != nil {
		return err
	}
	plain, err := expand(values)
	if err != nil {
		return err
	}
	values = plain.(map[string]any)
	if body := in.Elem().FieldByName("Body"); body.IsValid() && body.Type() == reflect.TypeFor[io.Reader]() {
		content, err := bodyOf(values["Body"])
		if err != nil {
			return err
		}
		delete(values, "Body")
		body.Set(reflect.ValueOf(bytes.NewReader(content)))
	}
	doc, err := json.Marshal(values)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	return d.Decode(in.Interface())
}

// bodyOf: a body is text, or a blob in base64 that expand has made.
func bodyOf(v any) ([]byte, error) {
	text, _ := v.(string)
	if encoded, ok := strings.CutPrefix(text, blobMark); ok {
		return base64.StdEncoding.DecodeString(encoded)
	}
	return []byte(text), nil
}

// blobMark begins archives, which only bodies take.
const blobMark = "\x00zip:"

// expand turns $bytes, $userdata and $zip into what encoding/json reads into the
// SDK's types.
func expand(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			e, err := expand(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = e
		}
	case map[string]any:
		if text, ok := v["$bytes"].(string); ok {
			return base64.StdEncoding.EncodeToString([]byte(text)), nil
		}
		if text, ok := v["$userdata"].(string); ok {
			return base64.StdEncoding.EncodeToString([]byte(text)), nil
		}
		if files, ok := v["$zip"].(map[string]any); ok {
			return archive(files)
		}
		for name := range v {
			e, err := expand(v[name])
			if err != nil {
				return nil, err
			}
			v[name] = e
		}
	}
	return v, nil
}

func archive(files map[string]any) (string, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f, err := w.Create(name)
		if err != nil {
			return "", err
		}
		if _, err := io.WriteString(f, fmt.Sprint(files[name])); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return blobMark + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// encodeOutput turns an answer into JSON values; a stream becomes its text.
func encodeOutput(out reflect.Value) (any, error) {
	var body string
	hasBody := false
	if field := out.Elem().FieldByName("Body"); field.IsValid() {
		if stream, ok := field.Interface().(io.ReadCloser); ok {
			content, err := io.ReadAll(stream)
			if err != nil {
				return nil, err
			}
			body, hasBody = string(content), true
			field.SetZero()
		}
	}
	doc, err := json.Marshal(out.Interface())
	if err != nil {
		return nil, err
	}
	var values map[string]any
	if err := json.Unmarshal(doc, &values); err != nil {
		return nil, err
	}
	if hasBody {
		values["Body"] = body
	}
	return values, nil
}

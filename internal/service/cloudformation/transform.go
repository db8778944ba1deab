package cloudformation

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/wire"
)

// processed runs the transforms of a template, with the parameters that a request
// gives; "" for a template that has none.
func (s *Service) processed(ctx context.Context, st *stack.Stack, w wanted, previous map[string]template.Value) (string, error) {
	head, transformed, err := template.ParseHead(w.body)
	if err != nil || !transformed {
		return "", asAWS(err)
	}
	if missing := missingCapabilities(head, s.engine.Types(), w); len(missing) > 0 {
		return "", requiresCapabilities(missing)
	}
	values, err := head.Resolve(given(w.parameters), previous, account{ctx, s.invoker})
	if err != nil {
		return "", asAWS(err)
	}
	scope, err := stack.NewScope(head, st, values, w.topics)
	if err != nil {
		return "", asAWS(err)
	}
	body, err := scope.Transform(func(location string) (map[string]any, error) { return s.include(ctx, location) })
	return body, asAWS(err)
}

// include reads what AWS::Include names, as the caller.
func (s *Service) include(ctx context.Context, location string) (map[string]any, error) {
	const failed = "Transform AWS::Include failed with: "
	bucket, key, err := s.hosts.parse(location, "Location")
	if rest, ok := strings.CutPrefix(location, "s3://"); ok {
		bucket, key, _ = strings.Cut(rest, "/")
		err = nil
	}
	if err != nil || bucket == "" || key == "" {
		return nil, invalid("%sThe location parameter is not a valid S3 uri.", failed)
	}
	out, err := wire.Call[s3.GetObjectOutput](ctx, s.invoker, "s3", "GetObject", &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if e := awserr.As(err); e != nil && e.Code == "NoSuchBucket" {
		return nil, invalid("%sS3 bucket [%s] does not exist.", failed, bucket)
	} else if e != nil && e.HTTPStatus() < 500 {
		return nil, invalid("%sS3 error: %s", failed, e.Message)
	}
	if err != nil {
		return nil, err
	}
	text, err := readAll(out.Body, "the snippet", template.MaxRemoteBody)
	if err != nil {
		return nil, err
	}
	m, err := template.Read(text)
	if err != nil {
		return nil, invalid("%sThe specified S3 object's content should be valid Yaml/JSON", failed)
	}
	return m, nil
}

// summary parses a template for the operations that look at it without values: of
// one with transforms only the head can be judged.
func (s *Service) summary(body string, judge func(string) (*template.Template, error)) (*template.Template, error) {
	head, transformed, err := template.ParseHead(body)
	if err != nil || transformed {
		return head, asAWS(err)
	}
	return judge(body)
}

// refuseSecure refuses {{resolve:ssm-secure:..}}: none of the properties that AWS
// lets take it belongs to a type that exists here.
func refuseSecure(t *template.Template) error {
	var bad []string
	for _, id := range t.ResourceIDs() {
		def := t.Resources[id]
		for name, v := range def.Properties {
			if strings.Contains(template.JSON(v), "{{resolve:ssm-secure:") {
				bad = append(bad, def.Type+"/Properties/"+name)
			}
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return invalid("SSM Secure reference is not supported in: [%s]", joinSorted(bad))
}

// attributeOf answers Fn::ValueOf from the tags and fields that EC2 shows.
func attributeOf(attribute string, fields map[string]*string, tags map[string]string) (string, error) {
	if key, isTag := strings.CutPrefix(attribute, "Tags."); isTag {
		return tags[key], nil
	}
	if v, ok := fields[attribute]; ok {
		return aws.Val(v), nil
	}
	return "", invalid("Template error: attribute %s is not supported in Fn::ValueOf", attribute)
}

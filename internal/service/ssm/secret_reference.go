package ssm

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// secretPrefix is where secrets of Secrets Manager show as parameters.
const secretPrefix = "/aws/reference/secretsmanager/"

// sourceResult is what Secrets Manager answered, in the form in which a parameter
// carries it.
type sourceResult struct {
	ARN           string   `json:"ARN"`
	Name          string   `json:"name"`
	VersionID     string   `json:"versionId"`
	SecretString  string   `json:"secretString"`
	VersionStages []string `json:"versionStages"`
	CreatedDate   float64  `json:"createdDate"`
}

// secret reads the secret that a parameter refers to, as the caller. The selector
// is a version's id or label.
func (s *Service) secret(ctx context.Context, name, selector string, decrypt bool) (api.Parameter, error) {
	if !decrypt {
		return api.Parameter{}, invalid("WithDecryption flag must be True for retrieving a Secret Manager secret.")
	}
	id := strings.TrimPrefix(name, secretPrefix)
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	const lengthOfVersionID = 32
	switch {
	case len(selector) >= lengthOfVersionID:
		in.VersionId = &selector
	case selector != "":
		in.VersionStage = &selector
	}
	got, err := wire.Call[secretsmanager.GetSecretValueOutput](ctx, s.cfg.Invoker, "secretsmanager", "GetSecretValue", in)
	if awserr.Is(err, "ResourceNotFoundException") {
		return api.Parameter{}, awserr.New("ParameterNotFound", "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret %s not found.", name)
	}
	if err != nil {
		return api.Parameter{}, err
	}
	created := aws.Val(got.CreatedDate)
	source, err := json.Marshal(sourceResult{ARN: aws.Val(got.ARN), Name: aws.Val(got.Name), VersionID: aws.Val(got.VersionId),
		SecretString: aws.Val(got.SecretString), VersionStages: got.VersionStages, CreatedDate: float64(created.UnixNano()) / float64(time.Second)})
	if err != nil {
		return api.Parameter{}, err
	}
	p := api.Parameter{Name: &name, Type: api.ParameterTypeSecureString, Value: got.SecretString, Version: aws.Ptr[int64](0),
		SourceResult: aws.Ptr(string(source)), LastModifiedDate: &created, ARN: got.ARN}
	if selector != "" {
		p.Selector = aws.Ptr(":" + selector)
	}
	return p, nil
}

// Package secretsmanager is AWS Secrets Manager: secrets, their versions and
// staging labels, resource policies, deletion with a recovery window, and the
// resource types AWS::SecretsManager::Secret and ResourcePolicy.
//
// It owns the tables secretsmanager.secret and secretsmanager.version; values are
// sealed on disk. It imports store, policy, stack (its resource types), wire and
// the API's types. The flow enters through Wire's operations and through Run, which
// removes secrets whose recovery window has passed. There is no KMS: a key other
// than the service's own is refused. Rotation and replication need Lambda and a
// second region and are not implemented.
package secretsmanager

import (
	"context"

	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Sealer  *store.Sealer
	Invoker Invoker
}

// Service implements the operations.
type Service struct{ cfg Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg} }

const name = "secretsmanager"

// Wire lists the operations, each judged on the secret it is about.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Invalid: violated, Operations: []wire.Operation{
		wire.Op("CreateSecret", "secretsmanager:CreateSecret", s.CreateSecret, createChecks),
		wire.Op("GetSecretValue", "secretsmanager:GetSecretValue", s.GetSecretValue, on(s, func(in *api.GetSecretValueInput) asked {
			return asked{in.SecretId, keys{"VersionId": in.VersionId, "VersionStage": in.VersionStage}, nil}
		})),
		wire.Op("BatchGetSecretValue", "secretsmanager:BatchGetSecretValue", s.BatchGetSecretValue, batchChecks),
		wire.Op("PutSecretValue", "secretsmanager:PutSecretValue", s.PutSecretValue, on(s, func(in *api.PutSecretValueInput) asked {
			return asked{id: in.SecretId}
		})),
		wire.Op("UpdateSecret", "secretsmanager:UpdateSecret", s.UpdateSecret, on(s, func(in *api.UpdateSecretInput) asked {
			return asked{in.SecretId, keys{"Description": in.Description, "KmsKeyId": in.KmsKeyId}, nil}
		})),
		wire.Op("DescribeSecret", "secretsmanager:DescribeSecret", s.DescribeSecret, on(s, func(in *api.DescribeSecretInput) asked {
			return asked{id: in.SecretId}
		})),
		wire.Op("ListSecrets", "secretsmanager:ListSecrets", s.ListSecrets, nil),
		wire.Op("ListSecretVersionIds", "secretsmanager:ListSecretVersionIds", s.ListSecretVersionIds, on(s, func(in *api.ListSecretVersionIdsInput) asked {
			return asked{id: in.SecretId}
		})),
		wire.Op("DeleteSecret", "secretsmanager:DeleteSecret", s.DeleteSecret, on(s, deleteAsked)),
		wire.Op("RestoreSecret", "secretsmanager:RestoreSecret", s.RestoreSecret, on(s, func(in *api.RestoreSecretInput) asked {
			return asked{id: in.SecretId}
		})),
		wire.Op("UpdateSecretVersionStage", "secretsmanager:UpdateSecretVersionStage", s.UpdateSecretVersionStage,
			on(s, func(in *api.UpdateSecretVersionStageInput) asked {
				return asked{in.SecretId, keys{"VersionStage": in.VersionStage}, nil}
			})),
		wire.Op("GetRandomPassword", "secretsmanager:GetRandomPassword", s.GetRandomPassword, nil),
		wire.Op("TagResource", "secretsmanager:TagResource", s.TagResource, on(s, func(in *api.TagResourceInput) asked {
			return asked{in.SecretId, nil, requestTags(in.Tags)}
		})),
		wire.Op("UntagResource", "secretsmanager:UntagResource", s.UntagResource, on(s, func(in *api.UntagResourceInput) asked {
			return asked{in.SecretId, nil, map[string][]string{"aws:TagKeys": in.TagKeys}}
		})),
		wire.Op("PutResourcePolicy", "secretsmanager:PutResourcePolicy", s.PutResourcePolicy, on(s, putPolicyAsked)),
		wire.Op("GetResourcePolicy", "secretsmanager:GetResourcePolicy", s.GetResourcePolicy, on(s, func(in *api.GetResourcePolicyInput) asked {
			return asked{id: in.SecretId}
		})),
		wire.Op("DeleteResourcePolicy", "secretsmanager:DeleteResourcePolicy", s.DeleteResourcePolicy, on(s, func(in *api.DeleteResourcePolicyInput) asked {
			return asked{id: in.SecretId}
		})),
		wire.Op("ValidateResourcePolicy", "secretsmanager:ValidateResourcePolicy", s.ValidateResourcePolicy,
			on(s, func(in *api.ValidateResourcePolicyInput) asked { return asked{id: in.SecretId} })),
	}}
}

package secretsmanager

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// keys are condition keys of the service, without its prefix.
type keys map[string]*string

// into adds the keys that have values.
func (k keys) into(conditions map[string][]string) {
	for name, v := range k {
		if v != nil {
			conditions["secretsmanager:"+name] = []string{*v}
		}
	}
}

// asked is what a request says that bears on permissions.
type asked struct {
	id    *string
	keys  keys
	extra map[string][]string
}

// on checks an operation's action on the secret that the input names, under the
// secret's own policy. A secret that does not exist is judged by its name, so that
// who may not ask does not learn of it.
func on[I any](s *Service, of func(*I) asked) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		a := of(in)
		call, id := aws.CallFrom(ctx), aws.Val(a.id)
		conditions := map[string][]string{"secretsmanager:SecretId": {id}}
		a.keys.into(conditions)
		maps.Copy(conditions, a.extra)
		check := aws.Check{Resource: id, Context: conditions}
		var sec *secret
		var k store.Key
		err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
			k, sec, err = find(tx, call, id)
			return err
		})
		switch {
		case errors.Is(err, store.ErrNotFound) || awserr.As(err) != nil:
			switch {
			case id == "": // a policy that is validated for no secret
				check.Resource = "arn:aws:secretsmanager:" + call.Region + ":" + call.Account + ":secret:*"
			case !isARN(id):
				check.Resource = arnOf(store.Key{Account: call.Account, Region: call.Region, ID: id}, anySuffix)
			}
			return []aws.Check{check}, nil
		case err != nil:
			return nil, err
		}
		check.Resource, check.ResourcePolicy, check.ResourceAccount = arnOf(k, sec.Suffix), sec.Policy, k.Account
		conditions["secretsmanager:SecretPrimaryRegion"] = []string{k.Region}
		for _, t := range sec.Tags {
			conditions["aws:ResourceTag/"+t.Key] = []string{t.Value}
			conditions["secretsmanager:ResourceTag/"+t.Key] = []string{t.Value}
		}
		return []aws.Check{check}, nil
	}
}

// anySuffix stands for the characters that a secret which does not exist yet will
// have at the end of its ARN: policies name them like this, or by a star.
const anySuffix = "??????"

func createChecks(ctx context.Context, in *api.CreateSecretInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	conditions := requestTags(in.Tags)
	conditions["secretsmanager:Name"] = []string{aws.Val(in.Name)}
	keys{"Description": in.Description, "KmsKeyId": in.KmsKeyId}.into(conditions)
	checks := []aws.Check{{Resource: arnOf(store.Key{Account: c.Account, Region: c.Region, ID: aws.Val(in.Name)}, anySuffix), Context: conditions}}
	if len(in.Tags) > 0 {
		tagging := checks[0]
		tagging.Action = "secretsmanager:TagResource"
		checks = append(checks, tagging)
	}
	return checks, nil
}

// batchChecks wants the right to list for filters; each secret that is found needs
// its own GetSecretValue, which is called in the caller's name.
func batchChecks(_ context.Context, in *api.BatchGetSecretValueInput) ([]aws.Check, error) {
	checks := []aws.Check{{Resource: "*"}}
	if len(in.Filters) > 0 {
		checks = append(checks, aws.Check{Action: "secretsmanager:ListSecrets", Resource: "*"})
	}
	return checks, nil
}

func requestTags(tags []api.Tag) map[string][]string {
	out := map[string][]string{}
	for _, t := range tags {
		out["aws:RequestTag/"+aws.Val(t.Key)] = []string{aws.Val(t.Value)}
		out["aws:TagKeys"] = append(out["aws:TagKeys"], aws.Val(t.Key))
	}
	return out
}

func deleteAsked(in *api.DeleteSecretInput) asked {
	k := keys{"ForceDeleteWithoutRecovery": aws.Ptr(strconv.FormatBool(aws.Val(in.ForceDeleteWithoutRecovery)))}
	if in.RecoveryWindowInDays != nil {
		k["RecoveryWindowInDays"] = aws.Ptr(strconv.FormatInt(*in.RecoveryWindowInDays, 10))
	}
	return asked{in.SecretId, k, nil}
}

func putPolicyAsked(in *api.PutResourcePolicyInput) asked {
	return asked{in.SecretId, keys{"BlockPublicPolicy": aws.Ptr(strconv.FormatBool(aws.Val(in.BlockPublicPolicy)))}, nil}
}

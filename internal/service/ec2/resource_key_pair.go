package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	ssmapi "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// resourceKeyPair is AWS::EC2::KeyPair. A private key that EC2 generates is put in
// the parameter store, under /ec2/keypair/<key pair id>.
type resourceKeyPair struct{ s *Service }

type keyPairProperties struct {
	KeyName           string `cfn:",required"`
	KeyFormat         *string
	KeyType           *string
	PublicKeyMaterial *string
	Tags              []stack.Tag
}

func (resourceKeyPair) Schema() stack.Schema {
	sc := stack.SchemaOf(keyPairProperties{})
	sc.Attributes = []string{"KeyFingerprint", "KeyPairId"}
	sc.Taggable, sc.NameProperty = true, "KeyName"
	return sc
}

func (t resourceKeyPair) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p keyPairProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = p.KeyName
	if done, err := t.resume(ctx, r); done || err != nil {
		started(p.KeyName)
		if err != nil {
			return stack.Result{}, err
		}
		return t.Read(ctx, r)
	}
	tags := []api.TagSpecification{{ResourceType: "key-pair", Tags: toAPITags(r.TagsWith(p.Tags))}}
	if p.PublicKeyMaterial != nil {
		_, err := call[api.ImportKeyPairOutput](ctx, t.s, "ImportKeyPair", &api.ImportKeyPairInput{
			KeyName: &p.KeyName, PublicKeyMaterial: []byte(*p.PublicKeyMaterial), TagSpecifications: tags,
		})
		if err != nil {
			return stack.Result{}, err
		}
		started(p.KeyName)
		return t.Read(ctx, r)
	}
	out, err := call[api.CreateKeyPairOutput](ctx, t.s, "CreateKeyPair", &api.CreateKeyPairInput{
		KeyName: &p.KeyName, KeyType: api.KeyType(aws.Val(p.KeyType)), KeyFormat: api.KeyFormat(aws.Val(p.KeyFormat)), TagSpecifications: tags,
	})
	if err != nil {
		return stack.Result{}, err
	}
	started(p.KeyName)
	_, err = t.s.invoker.Invoke(ctx, "ssm", "PutParameter", &ssmapi.PutParameterInput{
		Name: aws.Ptr(privateKeyParameter(aws.Val(out.KeyPairId))), Value: out.KeyMaterial, Type: ssmapi.ParameterTypeSecureString,
	})
	if err != nil {
		return stack.Result{PhysicalID: p.KeyName}, err
	}
	return t.Read(ctx, r)
}

func privateKeyParameter(id string) string { return "/ec2/keypair/" + id }

// resume looks for a key pair that this very creation made before a crash. Its
// private half may be lost by then, so it is made anew.
func (t resourceKeyPair) resume(ctx context.Context, r stack.Request) (bool, error) {
	row, err := t.s.keyByToken(ctx, aws.CallFrom(ctx))
	if row == nil || err != nil {
		return false, err
	}
	if r.Properties["PublicKeyMaterial"] != nil {
		return true, nil
	}
	_, err = t.s.invoker.Invoke(ctx, "ssm", "GetParameter", &ssmapi.GetParameterInput{Name: aws.Ptr(privateKeyParameter(row.ID))})
	if err == nil {
		return true, nil
	}
	if !awserr.Is(err, "ParameterNotFound") {
		return false, err
	}
	return false, t.Delete(ctx, r)
}

func (t resourceKeyPair) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := call[api.DescribeKeyPairsOutput](ctx, t.s, "DescribeKeyPairs", &api.DescribeKeyPairsInput{KeyNames: []string{r.PhysicalID}})
	if awserr.Is(err, "InvalidKeyPair.NotFound") {
		return stack.Result{}, stack.ErrNotFound
	}
	if err != nil {
		return stack.Result{}, err
	}
	k := out.KeyPairs[0]
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{"KeyFingerprint": *k.KeyFingerprint, "KeyPairId": *k.KeyPairId}}, nil
}

func (t resourceKeyPair) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old keyPairProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	res, err := t.Read(ctx, r)
	if err != nil {
		return stack.Result{}, err
	}
	id, _ := res.Attributes["KeyPairId"].(string)
	return res, t.s.syncTags(ctx, id, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags))
}

func (t resourceKeyPair) Delete(ctx context.Context, r stack.Request) error {
	res, err := t.Read(ctx, r)
	if err == stack.ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if r.Properties["PublicKeyMaterial"] == nil {
		id, _ := res.Attributes["KeyPairId"].(string)
		_, err = t.s.invoker.Invoke(ctx, "ssm", "DeleteParameter", &ssmapi.DeleteParameterInput{Name: aws.Ptr(privateKeyParameter(id))})
		if err != nil && !awserr.Is(err, "ParameterNotFound") {
			return err
		}
	}
	_, err = call[api.DeleteKeyPairOutput](ctx, t.s, "DeleteKeyPair", &api.DeleteKeyPairInput{KeyName: &r.PhysicalID})
	return err
}

// keyByToken finds the key pair that the stack engine's token made, or nil.
func (s *Service) keyByToken(ctx context.Context, c aws.Call) (*keyPair, error) {
	if c.Token == "" {
		return nil, nil
	}
	var row *keyPair
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := keyPairs.Lookup(tx, "token", scoped(key(c, ""), c.Token))
		if err == nil && len(rows) > 0 {
			row = rows[0].Value
		}
		return err
	})
	return row, err
}

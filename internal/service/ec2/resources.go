package ec2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::EC2::Instance":             resourceInstance{s},
		"AWS::EC2::SecurityGroup":        resourceSecurityGroup{s},
		"AWS::EC2::SecurityGroupIngress": resourceIngress{s},
		"AWS::EC2::SecurityGroupEgress":  resourceEgress{s},
		"AWS::EC2::KeyPair":              resourceKeyPair{s},
		"AWS::EC2::EIP":                  resourceEIP{s},
	}
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

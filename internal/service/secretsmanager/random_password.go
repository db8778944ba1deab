package secretsmanager

import (
	"context"
	"crypto/rand"
	"math/big"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
)

const defaultPassword = 32

// The kinds of characters that passwords are made of.
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numbers     = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// GetRandomPassword makes a password and keeps nothing.
func (s *Service) GetRandomPassword(_ context.Context, in *api.GetRandomPasswordInput) (*api.GetRandomPasswordOutput, error) {
	p, err := password(in)
	if err != nil {
		return nil, err
	}
	return &api.GetRandomPasswordOutput{RandomPassword: &p}, nil
}

func password(in *api.GetRandomPasswordInput) (string, error) {
	length := defaultPassword
	if in.PasswordLength != nil {
		length = int(*in.PasswordLength)
	}
	kinds := alphabets(in)
	all := strings.Join(kinds, "")
	if all == "" {
		return "", invalidRequest("You can't exclude all characters: a password needs at least one to be made of.")
	}
	var out []byte
	if in.RequireEachIncludedType == nil || *in.RequireEachIncludedType {
		if length < len(kinds) {
			return "", invalidParameter("Password length is too short based on the required types.")
		}
		for _, k := range kinds {
			out = append(out, pick(k))
		}
	}
	for len(out) < length {
		out = append(out, pick(all))
	}
	shuffle(out)
	return string(out), nil
}

// alphabets are the kinds that a password draws from, without what is excluded.
func alphabets(in *api.GetRandomPasswordInput) []string {
	var out []string
	for _, k := range []struct {
		excluded *bool
		letters  string
	}{
		{in.ExcludeLowercase, lowercase}, {in.ExcludeUppercase, uppercase},
		{in.ExcludeNumbers, numbers}, {in.ExcludePunctuation, punctuation},
		{aws.Ptr(!aws.Val(in.IncludeSpace)), " "},
	} {
		if aws.Val(k.excluded) {
			continue
		}
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(aws.Val(in.ExcludeCharacters), r) {
				return -1
			}
			return r
		}, k.letters)
		if left != "" {
			out = append(out, left)
		}
	}
	return out
}

func pick(letters string) byte { return letters[below(len(letters))] }

func shuffle(b []byte) {
	for i := len(b) - 1; i > 0; i-- {
		j := below(i + 1)
		b[i], b[j] = b[j], b[i]
	}
}

// below returns a random number under n. The reader of crypto/rand does not fail.
func below(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err)
	}
	return int(i.Int64())
}

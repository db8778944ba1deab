package ecr

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// repository is a row of ecr.repository; the key's ID is the name.
type repository struct {
	Mutability string
	Exclusions []string `json:",omitempty"` // tags, as patterns
	ScanOnPush bool
	// Policy is PolicyText with the resource that its statements leave out.
	Policy     string `json:",omitempty"`
	PolicyText string `json:",omitempty"`
	Lifecycle  string `json:",omitempty"`
	Created    time.Time
	Tags       []tag  `json:",omitempty"`
	Token      string `json:",omitempty"` // made the repository, where a stack did
}

type tag struct{ Key, Value string }

var repositories = &store.Table[repository]{Name: "ecr.repository", Version: 1}

// keyOf is where a repository lives: the registry is the account.
func keyOf(c aws.Call, registry *string, repositoryName string) store.Key {
	account := c.Account
	if registry != nil {
		account = *registry
	}
	return store.Key{Account: account, Region: c.Region, ID: repositoryName}
}

func arnOf(k store.Key) string {
	return "arn:aws:ecr:" + k.Region + ":" + k.Account + ":repository/" + k.ID
}

const nameForm = `(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*`

var validName = regexp.MustCompile(`^` + nameForm + `$`)

func errNotFound(k store.Key) *awserr.Error {
	return awserr.New("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", k.ID, k.Account)
}

func invalid(member, format string, args ...any) *awserr.Error {
	e := awserr.New("InvalidParameterException", format, args...)
	e.Message = "Invalid parameter at '" + member + "' failed to satisfy constraint: '" + e.Message + "'"
	return e
}

// violated is what the service says of an input that the model refuses.
func violated(_ *model.Operation, list []validate.Violation) error {
	v := list[0]
	switch {
	case v.Kind == validate.Required:
		return invalid(v.Path, "must not be null")
	case v.Kind == validate.Pattern && v.Path == "repositoryName":
		return errName()
	}
	return invalid(v.Path, "%s", strings.TrimPrefix(v.Must, "Member "))
}

func errName() *awserr.Error {
	return invalid("repositoryName", "must satisfy regular expression '%s'", nameForm)
}

func get(tx *store.Tx, k store.Key) (*repository, error) {
	r, err := repositories.Get(tx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNotFound(k)
	}
	return r, err
}

// read returns a repository.
func (s *Service) read(ctx context.Context, registry, repositoryName *string) (k store.Key, r *repository, err error) {
	k = keyOf(aws.CallFrom(ctx), registry, aws.Val(repositoryName))
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		r, err = get(tx, k)
		return err
	})
	return k, r, err
}

// change runs fn on a repository and stores it.
func (s *Service) change(ctx context.Context, k store.Key, fn func(*repository) error) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := get(tx, k)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
		emit(tx, k)
		return repositories.Put(tx, k, r)
	})
}

func emit(tx *store.Tx, k store.Key) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: name, Resource: k.ID, Kind: "repository"})
}

func (r *repository) api(k store.Key) *api.Repository {
	out := &api.Repository{RepositoryArn: aws.Ptr(arnOf(k)), RegistryId: &k.Account, RepositoryName: &k.ID, CreatedAt: &r.Created,
		RepositoryUri:      aws.Ptr(k.Account + ".dkr.ecr." + k.Region + ".amazonaws.com/" + k.ID),
		ImageTagMutability: api.ImageTagMutability(r.Mutability), ImageScanningConfiguration: &api.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
		EncryptionConfiguration: &api.EncryptionConfiguration{EncryptionType: "AES256"}}
	for _, e := range r.Exclusions {
		out.ImageTagMutabilityExclusionFilters = append(out.ImageTagMutabilityExclusionFilters,
			api.ImageTagMutabilityExclusionFilter{FilterType: "WILDCARD", Filter: &e})
	}
	return out
}

// mutability sets whether tags may move.
func (r *repository) mutability(kind api.ImageTagMutability, exclusions []api.ImageTagMutabilityExclusionFilter) error {
	if kind == "" {
		kind = "MUTABLE"
	}
	if strings.HasSuffix(string(kind), "_WITH_EXCLUSION") != (len(exclusions) > 0) {
		return invalid("imageTagMutabilityExclusionFilters", "exclusion filters go with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION only, and these need some")
	}
	r.Mutability, r.Exclusions = string(kind), nil
	for _, e := range exclusions {
		r.Exclusions = append(r.Exclusions, aws.Val(e.Filter))
	}
	return nil
}

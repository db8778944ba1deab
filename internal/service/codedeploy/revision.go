package codedeploy

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// checkRevision accepts locations that an agent can fetch.
func checkRevision(r *api.RevisionLocation) error {
	if r == nil {
		return errRevisionRequired
	}
	invalid := func(why string) error {
		return awserr.New("InvalidRevisionException", "The revision was specified in an invalid format. %s", why)
	}
	switch r.RevisionType {
	case api.RevisionLocationTypeS3:
		l := r.S3Location
		if l == nil || aws.Val(l.Bucket) == "" || aws.Val(l.Key) == "" {
			return invalid("An S3 revision needs s3Location with bucket, key and bundleType.")
		}
		switch l.BundleType {
		case api.BundleTypeTar, api.BundleTypeTgz, api.BundleTypeZip:
		default:
			return invalid("The bundleType of a Server revision is tar, tgz or zip.")
		}
	case api.RevisionLocationTypeGitHub:
		l := r.GitHubLocation
		if l == nil || !strings.Contains(aws.Val(l.Repository), "/") || aws.Val(l.CommitId) == "" {
			return invalid("A GitHub revision needs gitHubLocation with repository (account/name) and commitId.")
		}
	case api.RevisionLocationTypeString, api.RevisionLocationTypeAppSpecContent:
		return invalid("Revisions of type " + string(r.RevisionType) + " are for the Lambda and ECS platforms.")
	default:
		return invalid("Valid revision types are S3 and GitHub.")
	}
	return nil
}

// revisionID names a location within its application.
func revisionID(r *api.RevisionLocation) string {
	if l := r.S3Location; l != nil {
		return joined("S3", aws.Val(l.Bucket), aws.Val(l.Key), string(l.BundleType), aws.Val(l.Version), strings.Trim(aws.Val(l.ETag), `"`))
	}
	if l := r.GitHubLocation; l != nil {
		return joined("GitHub", aws.Val(l.Repository), aws.Val(l.CommitId))
	}
	return string(r.RevisionType)
}

func revisionKey(c store.Key, application string, r *api.RevisionLocation) store.Key {
	return store.Key{Account: c.Account, Region: c.Region, ID: joined(application, revisionID(r))}
}

// register notes the revision; used tells that a deployment uses it now.
func register(tx *store.Tx, k store.Key, application string, r *api.RevisionLocation, description string, now time.Time, used bool) error {
	k = revisionKey(k, application, r)
	row, err := revisions.Get(tx, k)
	if isNotFound(err) {
		row, err = &revision{ApplicationID: application, Location: r, Registered: now}, nil
	}
	if err != nil {
		return err
	}
	row.Description = cmp.Or(description, row.Description)
	if used {
		row.LastUsed = now
		if row.FirstUsed.IsZero() {
			row.FirstUsed = now
		}
	}
	return revisions.Put(tx, k, row)
}

func revisionsOf(tx *store.Tx, c aws.Call, application string) ([]*revision, error) {
	var out []*revision
	prefix := application + "\x00"
	rows, err := revisions.List(tx, scope(c), prefix, 0)
	for _, r := range rows {
		if !strings.HasPrefix(r.Key.ID, prefix) {
			break
		}
		out = append(out, r.Value)
	}
	return out, err
}

func deleteRevisions(tx *store.Tx, c aws.Call, a *application) error {
	list, err := revisionsOf(tx, c, a.ID)
	if err != nil {
		return err
	}
	for _, r := range list {
		if err := revisions.Delete(tx, revisionKey(key(c, ""), a.ID, r.Location)); err != nil {
			return err
		}
	}
	return nil
}

// RegisterApplicationRevision makes a revision known.
func (s *Service) RegisterApplicationRevision(ctx context.Context, in *api.RegisterApplicationRevisionInput) (*api.RegisterApplicationRevisionOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if err := checkRevision(in.Revision); err != nil {
		return nil, err
	}
	if len(aws.Val(in.Description)) > 256 {
		return nil, awserr.New("DescriptionTooLongException", "The description is too long.")
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := findApplication(tx, c, name)
		if err != nil {
			return err
		}
		return register(tx, key(c, ""), a.ID, in.Revision, aws.Val(in.Description), s.clock.Now(), false)
	})
	if err != nil {
		return nil, err
	}
	return &api.RegisterApplicationRevisionOutput{}, nil
}

func (r *revision) view(tx *store.Tx, c aws.Call) (*api.GenericRevisionInfo, error) {
	info := &api.GenericRevisionInfo{RegisterTime: &r.Registered, DeploymentGroups: []string{}}
	if r.Description != "" {
		info.Description = &r.Description
	}
	if !r.FirstUsed.IsZero() {
		info.FirstUsedTime, info.LastUsedTime = &r.FirstUsed, &r.LastUsed
	}
	gs, err := groupsOf(tx, &application{ID: r.ApplicationID})
	for _, g := range gs {
		if g.LastSuccessful != nil && revisionID(g.LastSuccessful.Revision) == revisionID(r.Location) {
			info.DeploymentGroups = append(info.DeploymentGroups, g.Name)
		}
	}
	return info, err
}

// GetApplicationRevision describes one revision.
func (s *Service) GetApplicationRevision(ctx context.Context, in *api.GetApplicationRevisionInput) (*api.GetApplicationRevisionOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if err := checkRevision(in.Revision); err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.GetApplicationRevisionOutput, error) {
		a, err := findApplication(tx, c, name)
		if err != nil {
			return nil, err
		}
		r, err := revisions.Get(tx, revisionKey(key(c, ""), a.ID, in.Revision))
		if isNotFound(err) {
			return nil, awserr.New("RevisionDoesNotExistException", "The named revision does not exist in application %s", name)
		}
		if err != nil {
			return nil, err
		}
		info, err := r.view(tx, c)
		return &api.GetApplicationRevisionOutput{ApplicationName: &a.Name, Revision: r.Location, RevisionInfo: info}, err
	})
}

// BatchGetApplicationRevisions describes revisions; unknown ones are left out.
func (s *Service) BatchGetApplicationRevisions(ctx context.Context, in *api.BatchGetApplicationRevisionsInput) (*api.BatchGetApplicationRevisionsOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if len(in.Revisions) == 0 {
		return nil, errRevisionRequired
	}
	if err := checkBatch(len(in.Revisions), maxBatch); err != nil {
		return nil, err
	}
	for i := range in.Revisions {
		if err := checkRevision(&in.Revisions[i]); err != nil {
			return nil, err
		}
	}
	return view(ctx, s, func(tx *store.Tx) (*api.BatchGetApplicationRevisionsOutput, error) {
		a, err := findApplication(tx, c, name)
		if err != nil {
			return nil, err
		}
		out := &api.BatchGetApplicationRevisionsOutput{ApplicationName: &a.Name, Revisions: []api.RevisionInfo{}}
		for i := range in.Revisions {
			r, err := revisions.Get(tx, revisionKey(key(c, ""), a.ID, &in.Revisions[i]))
			if isNotFound(err) {
				out.ErrorMessage = aws.Ptr("Not all of the revisions exist")
				continue
			}
			if err != nil {
				return nil, err
			}
			info, err := r.view(tx, c)
			if err != nil {
				return nil, err
			}
			out.Revisions = append(out.Revisions, api.RevisionInfo{RevisionLocation: r.Location, GenericRevisionInfo: info})
		}
		return out, nil
	})
}

// ListApplicationRevisions lists an application's revisions.
func (s *Service) ListApplicationRevisions(ctx context.Context, in *api.ListApplicationRevisionsInput) (*api.ListApplicationRevisionsOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if in.S3KeyPrefix != nil && aws.Val(in.S3Bucket) == "" {
		return nil, awserr.New("BucketNameFilterRequiredException", "A bucket name is required, but was not provided.")
	}
	return view(ctx, s, func(tx *store.Tx) (*api.ListApplicationRevisionsOutput, error) {
		a, err := findApplication(tx, c, name)
		if err != nil {
			return nil, err
		}
		list, err := revisionsOf(tx, c, a.ID)
		if err != nil {
			return nil, err
		}
		used, err := deployedRevisions(tx, a)
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(r *revision) bool { return !wanted(in, r, used[revisionID(r.Location)]) })
		sortRevisions(list, in.SortBy, in.SortOrder)
		return pageRevisions(list, in.NextToken)
	})
}

// deployedRevisions are the target revisions of the application's groups.
func deployedRevisions(tx *store.Tx, a *application) (map[string]bool, error) {
	used := map[string]bool{}
	gs, err := groupsOf(tx, a)
	for _, g := range gs {
		if g.LastSuccessful != nil {
			used[revisionID(g.LastSuccessful.Revision)] = true
		}
	}
	return used, err
}

func wanted(in *api.ListApplicationRevisionsInput, r *revision, deployed bool) bool {
	if in.Deployed == api.ListStateFilterActionInclude && !deployed || in.Deployed == api.ListStateFilterActionExclude && deployed {
		return false
	}
	if aws.Val(in.S3Bucket) == "" {
		return true
	}
	l := r.Location.S3Location
	return l != nil && aws.Val(l.Bucket) == *in.S3Bucket && strings.HasPrefix(aws.Val(l.Key), aws.Val(in.S3KeyPrefix))
}

func sortRevisions(list []*revision, by api.ApplicationRevisionSortBy, order api.SortOrder) {
	at := func(r *revision) time.Time {
		switch by {
		case api.ApplicationRevisionSortByFirstUsedTime:
			return r.FirstUsed
		case api.ApplicationRevisionSortByLastUsedTime:
			return r.LastUsed
		}
		return r.Registered
	}
	slices.SortStableFunc(list, func(a, b *revision) int {
		if order == api.SortOrderDescending {
			a, b = b, a
		}
		return at(a).Compare(at(b))
	})
}

// pageRevisions pages by number: the order is the caller's choice.
func pageRevisions(list []*revision, token *string) (*api.ListApplicationRevisionsOutput, error) {
	numbers := make([]string, len(list))
	for i := range numbers {
		numbers[i] = string([]byte{byte(i >> 16), byte(i >> 8), byte(i)})
	}
	start, end, next, err := cut(numbers, token, false)
	out := &api.ListApplicationRevisionsOutput{Revisions: []api.RevisionLocation{}, NextToken: next}
	for _, r := range list[start:end] {
		out.Revisions = append(out.Revisions, *r.Location)
	}
	return out, err
}

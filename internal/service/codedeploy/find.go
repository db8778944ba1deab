package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// findApplication returns the caller's application of that name.
func findApplication(tx *store.Tx, c aws.Call, name string) (*application, error) {
	rows, err := applications.Lookup(tx, "name", joined(c.Account, c.Region, name))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errNoApplication(name)
	}
	return rows[0].Value, nil
}

// applicationsOf returns the caller's applications by name, at most limit; 0 for all.
func applicationsOf(tx *store.Tx, c aws.Call, limit int) ([]store.Row[application], error) {
	return applications.Range(tx, "name", joined(c.Account, c.Region, ""), joined(c.Account, c.Region)+"\x01", limit, false)
}

// findGroup returns the group of that name in the application.
func findGroup(tx *store.Tx, a *application, name string) (*group, error) {
	rows, err := groups.Lookup(tx, "name", joined(a.ID, name))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errNoGroup(name)
	}
	return rows[0].Value, nil
}

// groupsOf returns the groups of an application, by name.
func groupsOf(tx *store.Tx, a *application) ([]*group, error) {
	rows, err := groups.Range(tx, "name", joined(a.ID, ""), a.ID+"\x01", 0, false)
	if err != nil {
		return nil, err
	}
	out := make([]*group, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	return out, nil
}

func findDeployment(tx *store.Tx, c aws.Call, id string) (*deployment, error) {
	d, err := deployments.Get(tx, key(c, id))
	if isNotFound(err) {
		return nil, errNoDeployment(id)
	}
	return d, err
}

// targetsOf returns the targets of a deployment in the order they are deployed
// to.
func targetsOf(tx *store.Tx, deployment string) ([]*target, error) {
	rows, err := targets.Lookup(tx, "deployment", deployment)
	if err != nil {
		return nil, err
	}
	out := make([]*target, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	sortTargets(out)
	return out, nil
}

// view reads within one snapshot.
func view[T any](ctx context.Context, s *Service, fn func(tx *store.Tx) (T, error)) (out T, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		out, err = fn(tx)
		return err
	})
	return out, err
}

package iam

import "github.com/hardstand/hardstand/internal/store"

// accountQuotas are what an account may have of each kind, as IAM's documentation
// gives the defaults.
var accountQuotas = map[string]int32{
	"UsersPerAccount": 5000, "GroupsPerAccount": 300, "RolesPerAccount": 1000, "PoliciesPerAccount": 1500, "InstanceProfilesPerAccount": 1000,
	"ServerCertificatesPerAccount": 20,
}

// withinQuota refuses one more of a kind when the account has as many as it may.
func withinQuota(tx *store.Tx, account, name string) error {
	limit := int(accountQuotas[name])
	n, err := held(tx, account, name, limit)
	if err == nil && n >= limit {
		err = quota("Cannot exceed quota for %s: %d", name, limit)
	}
	return err
}

// held counts what the account has, up to the limit.
func held(tx *store.Tx, account, name string, limit int) (int, error) {
	scope := store.Scope{Account: account}
	switch name {
	case "PoliciesPerAccount":
		rows, err := policies.List(tx, scope, "", limit)
		return len(rows), err
	case "InstanceProfilesPerAccount":
		rows, err := profiles.List(tx, scope, "", limit)
		return len(rows), err
	case "ServerCertificatesPerAccount":
		rows, err := certificates.List(tx, scope, "", limit)
		return len(rows), err
	}
	kind := map[string]string{"UsersPerAccount": userKind, "GroupsPerAccount": groupKind, "RolesPerAccount": roleKind}[name]
	from := joined(account, kind, "")
	rows, err := entities.Range(tx, "name", from, from+"\xff", limit, false)
	return len(rows), err
}

package ec2

import (
	"fmt"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxTemplates        = 5000  // per region
	maxTemplateVersions = 10000 // per template
	maxTemplatePage     = 200
)

// launchTemplate is one row of ec2_launch_templates. It is removed with all its
// versions by DeleteLaunchTemplate.
type launchTemplate struct {
	ID, Name, CreatedBy string
	Created             time.Time
	// Default and Latest are numbers of versions. Made counts those ever made: numbers
	// are not given twice.
	Default, Latest, Made int64
	Tags                  map[string]string
	Token, TokenHash      string
	// Modified are the last modifications that had a token, the latest last.
	Modified []modification `json:",omitempty"`
}

// modification is a call of ModifyLaunchTemplate: its token and the hash of its request.
type modification struct{ Token, Hash string }

// maxModifications is how many modifications a template remembers by their tokens.
const maxModifications = 16

// modifiedWith reports whether a call with the token has modified the template already.
func (t *launchTemplate) modifiedWith(tok, hash string) (bool, error) {
	i := slices.IndexFunc(t.Modified, func(m modification) bool { return tok != "" && m.Token == tok })
	if i < 0 {
		return false, nil
	}
	if t.Modified[i].Hash != hash {
		return false, idempotentMismatch()
	}
	return true, nil
}

func (t *launchTemplate) noteModification(tok, hash string) {
	if tok == "" {
		return
	}
	t.Modified = append(t.Modified, modification{tok, hash})
	t.Modified = t.Modified[max(0, len(t.Modified)-maxModifications):]
}

var launchTemplates = store.Table[launchTemplate]{
	Name: "ec2_launch_templates", Version: 1,
	Indexes: []store.Index[launchTemplate]{
		{Name: "name", Unique: true, Value: func(k store.Key, v *launchTemplate) []string { return []string{scoped(k, v.Name)} }},
		{Name: "token", Unique: true, Value: func(k store.Key, v *launchTemplate) []string { return token(k, v.Token) }},
	},
}

// templateVersion is one row of ec2_launch_template_versions. Nothing changes it.
type templateVersion struct {
	Template               string
	Number                 int64
	Description, CreatedBy string
	Created                time.Time
	// Data is what was asked for, without the user data, which is sealed.
	Data             api.RequestLaunchTemplateData
	UserData         []byte
	Token, TokenHash string
}

var templateVersions = store.Table[templateVersion]{
	Name: "ec2_launch_template_versions", Version: 1,
	Indexes: []store.Index[templateVersion]{
		{Name: "template", Value: func(_ store.Key, v *templateVersion) []string { return []string{v.Template} }},
		{Name: "token", Unique: true, Value: func(k store.Key, v *templateVersion) []string { return token(k, v.Token) }},
	},
}

// versionID is the id of a version's row; rows sort by number.
func versionID(template string, number int64) string {
	return fmt.Sprintf("%s/%010d", template, number)
}

func (s *Service) newVersion(c aws.Call, t *launchTemplate, description *string, data api.RequestLaunchTemplateData) (*templateVersion, error) {
	v := &templateVersion{
		Template: t.ID, Number: t.Made + 1, Description: aws.Val(description), CreatedBy: c.Principal.ARN, Created: s.clock.Now().UTC().Truncate(time.Second), Data: data,
	}
	if data.UserData == nil {
		return v, nil
	}
	var err error
	if v.UserData, err = s.sealer.Seal(templateVersions.Name, versionID(v.Template, v.Number), []byte(*data.UserData)); err != nil {
		return nil, fmt.Errorf("seal user data of %s: %w", v.Template, err)
	}
	v.Data.UserData = nil
	return v, nil
}

// data returns what the version says, with its user data.
func (s *Service) templateData(v *templateVersion) (api.RequestLaunchTemplateData, error) {
	data := v.Data
	if len(v.UserData) == 0 {
		return data, nil
	}
	plain, err := s.sealer.Open(templateVersions.Name, versionID(v.Template, v.Number), v.UserData)
	if err != nil {
		return data, fmt.Errorf("open user data of %s: %w", v.Template, err)
	}
	data.UserData = aws.Ptr(string(plain))
	return data, nil
}

// templateRef names a launch template, by one of id and name, and a version of it.
type templateRef struct{ id, name, version *string }

func refOf(spec *api.LaunchTemplateSpecification) templateRef {
	return templateRef{spec.LaunchTemplateId, spec.LaunchTemplateName, spec.Version}
}

func (r templateRef) check() error {
	switch {
	case aws.Val(r.id) == "" && aws.Val(r.name) == "":
		return missing("launch template ID or launch template name")
	case r.id != nil && r.name != nil:
		return awserr.New("InvalidParameterCombination", "Either a launch template ID or a launch template name must be specified in the request, but not both.")
	case r.id != nil && !templateID.MatchString(*r.id):
		return awserr.New("InvalidLaunchTemplateId.Malformed", "The specified launch template ID is invalid. A launch template ID must be in the format lt-xxxxxxxxxxxxxxxxx.")
	case r.name != nil && !templateName.MatchString(*r.name):
		return awserr.New("InvalidLaunchTemplateName.Malformed", "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.")
	}
	return nil
}

// find returns the launch template.
func (r templateRef) find(tx *store.Tx, c aws.Call) (*launchTemplate, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.id != nil {
		t, err := launchTemplates.Get(tx, key(c, *r.id))
		if isNotFound(err) {
			return nil, awserr.New("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", *r.id)
		}
		return t, err
	}
	rows, err := launchTemplates.Lookup(tx, "name", scoped(key(c, ""), *r.name))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, awserr.New("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", *r.name)
	}
	return rows[0].Value, nil
}

// findVersion returns the launch template and the version; the default one where none
// is named.
func (r templateRef) findVersion(tx *store.Tx, c aws.Call) (*launchTemplate, *templateVersion, error) {
	t, err := r.find(tx, c)
	if err != nil {
		return nil, nil, err
	}
	n, err := t.number(aws.Val(r.version))
	if err != nil {
		return nil, nil, err
	}
	v, err := getVersion(tx, c, t, n)
	return t, v, err
}

func getVersion(tx *store.Tx, c aws.Call, t *launchTemplate, n int64) (*templateVersion, error) {
	v, err := templateVersions.Get(tx, key(c, versionID(t.ID, n)))
	if isNotFound(err) {
		return nil, versionNotFound(t.ID, n)
	}
	return v, err
}

func versionNotFound(id string, n int64) error {
	return awserr.New("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %d for the launch template with ID %s.", n, id)
}

package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

const kindImport = "IMPORT"

// judgeImports refuses what is wrong with ResourcesToImport by itself.
func (s *Service) judgeImports(in *api.CreateChangeSetInput) error {
	if in.ChangeSetType != api.ChangeSetTypeImport {
		if len(in.ResourcesToImport) > 0 {
			return invalid("Resources to import can only be specified for change sets of type IMPORT")
		}
		return nil
	}
	if len(in.ResourcesToImport) == 0 {
		return invalid("Must Provide at least one resource to import")
	}
	seen := map[string]bool{}
	for i, r := range in.ResourcesToImport {
		if len(r.ResourceIdentifier) == 0 {
			return invalid("1 validation error detected: Value null at 'resourcesToImport.%d.member.resourceIdentifier' failed to satisfy constraint: Member must not be null", i+1)
		}
		if seen[aws.Val(r.LogicalResourceId)] {
			return invalid("Every resource to import must have unique LogicalResourceId")
		}
		seen[aws.Val(r.LogicalResourceId)] = true
	}
	for _, r := range in.ResourcesToImport {
		name := s.identifierOf(aws.Val(r.ResourceType))
		if name == "" {
			return invalid("ResourceTypes [%s] are not supported for Import", aws.Val(r.ResourceType))
		}
		if _, given := r.ResourceIdentifier[name]; !given || len(r.ResourceIdentifier) > 1 {
			return invalid("Invalid resource identifier for resource type %s. Expected [%s]", aws.Val(r.ResourceType), name)
		}
	}
	return nil
}

// fillImport turns the changes of a template into imports, or says why it cannot
// be: nothing else may change.
func (s *Service) fillImport(st *stack.Stack, cs *changeSet, old *template.Template, p *prepared, in *api.CreateChangeSetInput) error {
	wanted := map[string]string{}
	var absent []string
	for _, r := range in.ResourcesToImport {
		id := aws.Val(r.LogicalResourceId)
		wanted[id] = r.ResourceIdentifier[s.identifierOf(aws.Val(r.ResourceType))]
		def, ok := p.template.Resources[id]
		if !ok {
			absent = append(absent, id)
		} else if def.Type != aws.Val(r.ResourceType) {
			return invalid("Resource type of [%s] passed in ResourceToImport does not match with resource type defined in the template. Resource type in ResourceToImport: %s; Resource type in Template: %s.", id, aws.Val(r.ResourceType), def.Type)
		}
	}
	if len(absent) > 0 {
		return invalid("The logical resource ids [%s] provided in ResourceToImport do not exist in the template.", joinSorted(absent))
	}
	if more := alsoChanged(st, old, p, in); len(more) > 0 {
		return invalid("As part of the import operation, you cannot modify or add [%s]", strings.Join(more, ", "))
	}
	if err := onlyImports(cs, p.template, wanted); err != nil {
		return err
	}
	cs.Imports = wanted
	for i := range cs.Changes {
		cs.Changes[i] = stack.Change{Action: stack.Take, LogicalID: cs.Changes[i].LogicalID, Type: cs.Changes[i].Type,
			PhysicalID: wanted[cs.Changes[i].LogicalID], After: cs.Changes[i].After}
	}
	return nil
}

// alsoChanged names what besides resources an import would change.
func alsoChanged(st *stack.Stack, old *template.Template, p *prepared, in *api.CreateChangeSetInput) (names []string) {
	if old == nil {
		if len(p.template.Outputs) > 0 {
			names = append(names, "Outputs")
		}
		return names
	}
	if !reflect.DeepEqual(old.Body["Outputs"], p.template.Body["Outputs"]) {
		names = append(names, "Outputs")
	}
	if in.RoleARN != nil && *in.RoleARN != st.RoleARN {
		names = append(names, "RoleArn")
	}
	if in.Tags != nil && !maps.Equal(p.spec.Tags, st.Spec.Tags) {
		names = append(names, "Tags")
	}
	return names
}

func onlyImports(cs *changeSet, t *template.Template, wanted map[string]string) error {
	var unlisted, changed, held, unsafe []string
	added := map[string]bool{}
	for _, c := range cs.Changes {
		_, listed := wanted[c.LogicalID]
		switch {
		case c.Action == stack.Add && !listed:
			unlisted = append(unlisted, c.LogicalID)
		case c.Action != stack.Add:
			changed = append(changed, c.LogicalID)
		}
		added[c.LogicalID] = c.Action == stack.Add
	}
	for id := range wanted {
		if !added[id] {
			held = append(held, id)
		}
		if def, _ := t.Body["Resources"].(map[string]any)[id].(map[string]any); def["DeletionPolicy"] == nil {
			unsafe = append(unsafe, id)
		}
	}
	switch {
	case !slices.ContainsFunc(cs.Changes, func(c stack.Change) bool { return c.Action == stack.Add }):
		return invalid("The template should contain at least one new resource to import.")
	case len(held) > 0:
		return invalid("Resources [%s] passed in ResourceToImport are already in a stack and cannot be imported.", joinSorted(held))
	case len(unlisted) > 0:
		return invalid("Resources [%s] is missing from ResourceToImport list", joinSorted(unlisted))
	case len(unsafe) > 0:
		return invalid("The following resources to import [%s] must have DeletionPolicy attribute specified in the template.", joinSorted(unsafe))
	case len(changed) > 0:
		return invalid("You have modified resources [%s] in your template that are not being imported. Update, create or delete operations cannot be executed during import operations.", joinSorted(changed))
	}
	return nil
}

// lookForImports reads what is to be imported. What does not exist, or is a
// stack's already, fails the change set.
func (s *Service) lookForImports(ctx context.Context, st *stack.Stack, cs *changeSet) error {
	for _, c := range cs.Changes {
		if c.Action != stack.Take {
			continue
		}
		reason, err := s.importRefused(ctx, st, c)
		if err != nil {
			return err
		}
		if reason != "" {
			cs.Status, cs.Execution, cs.Reason, cs.Changes, cs.Imports = "FAILED", "UNAVAILABLE", reason, nil, nil
			return nil
		}
	}
	return nil
}

func (s *Service) importRefused(ctx context.Context, st *stack.Stack, c stack.Change) (string, error) {
	err := s.engine.Exists(ctx, st, c.Type, c.LogicalID, c.PhysicalID)
	if errors.Is(err, stack.ErrNotFound) {
		return notFound(c), nil
	}
	if e := awserr.As(err); e != nil && e.HTTPStatus() < 500 {
		return e.Message, nil
	}
	if err != nil {
		var denied *aws.Denied
		if errors.As(err, &denied) {
			return denied.Error(), nil
		}
		return "", err
	}
	owner := ""
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := stack.Members.Lookup(tx, "physical", stack.PhysicalIndex(st.Account, st.Region, c.PhysicalID))
		for _, row := range rows {
			if row.Value.Type == c.Type && row.Value.Status != stack.DeleteSkipped {
				owner = row.Value.StackID
			}
		}
		return err
	})
	if owner != "" {
		return fmt.Sprintf("%s already exists in stack %s", c.PhysicalID, owner), err
	}
	return "", err
}

func notFound(c stack.Change) string {
	if c.Type == "AWS::S3::Bucket" {
		return "Bucket not found"
	}
	return fmt.Sprintf("Resource of type '%s' with identifier '%s' was not found.", c.Type, c.PhysicalID)
}

// importExisting turns additions into imports where a resource of the name exists
// already (ImportExistingResources).
func (s *Service) importExisting(ctx context.Context, st *stack.Stack, cs *changeSet, p *prepared) error {
	var unsafe []string
	for i, c := range cs.Changes {
		if c.Action != stack.Add {
			continue
		}
		name := s.nameOf(p.scope, c.LogicalID)
		if name == "" {
			continue
		}
		c.Action, c.PhysicalID = stack.Take, name
		if reason, err := s.importRefused(ctx, st, c); err != nil {
			return err
		} else if reason != "" {
			continue // is made, or says itself why it cannot be
		}
		if policy := p.template.Resources[c.LogicalID].DeletionPolicy; !strings.HasPrefix(policy, "Retain") {
			unsafe = append(unsafe, fmt.Sprintf("%s ({%s=%s})", c.LogicalID, s.identifierOf(c.Type), name))
		}
		if cs.Imports == nil {
			cs.Imports = map[string]string{}
		}
		cs.Changes[i], cs.Imports[c.LogicalID] = c, name
	}
	if len(unsafe) > 0 {
		cs.Status, cs.Execution, cs.Changes, cs.Imports = "FAILED", "UNAVAILABLE", nil, nil
		cs.Reason = "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are " + strings.Join(unsafe, ", ")
	}
	return nil
}

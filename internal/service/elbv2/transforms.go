package elbv2

import (
	"regexp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
)

// Types of transforms.
const (
	rewriteHost = api.TransformTypeEnum("host-header-rewrite")
	rewriteURL  = api.TransformTypeEnum("url-rewrite")
)

const maxRewrite = 1024

// rewriteOf is the one rewrite of a transform.
func rewriteOf(t *api.RuleTransform) *api.RewriteConfig {
	var list []api.RewriteConfig
	switch {
	case t.Type == rewriteHost && t.HostHeaderRewriteConfig != nil && t.UrlRewriteConfig == nil:
		list = t.HostHeaderRewriteConfig.Rewrites
	case t.Type == rewriteURL && t.UrlRewriteConfig != nil && t.HostHeaderRewriteConfig == nil:
		list = t.UrlRewriteConfig.Rewrites
	}
	if len(list) != 1 {
		return nil
	}
	return &list[0]
}

func judgeTransforms(b *balancer, list []api.RuleTransform) error {
	seen := map[api.TransformTypeEnum]bool{}
	for i := range list {
		t := &list[i]
		r := rewriteOf(t)
		switch {
		case b.Type == network:
			return invalid("Transforms are not supported for load balancers with type 'network'")
		case seen[t.Type]:
			return invalid("A rule can have at most one transform of type '%s'", t.Type)
		case r == nil || aws.Val(r.Regex) == "" || r.Replace == nil:
			return invalid("A transform of type '%s' must have exactly one rewrite with a regular expression and a replacement", t.Type)
		case len(*r.Regex) > maxRewrite || len(*r.Replace) > maxRewrite:
			return invalid("The rewrite is too long; the limit is '%d'", maxRewrite)
		}
		if _, err := regexp.Compile(*r.Regex); err != nil {
			return invalid("The regular expression '%s' is not valid", *r.Regex)
		}
		seen[t.Type] = true
	}
	return nil
}

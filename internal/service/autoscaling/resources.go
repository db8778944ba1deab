package autoscaling

import "github.com/hardstand/hardstand/internal/stack"

// Resources are the resource types of the service.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{}
}

package cloudformation

// Tables that tests count.
var (
	StackSets     = stackSets
	SetOperations = setOperations
	ChangeSets    = changeSets
	Detections    = detections
)

package sqs

// Tables that tests count.
var (
	Tombstones = tombstones
	MoveTasks  = moveTasks
)

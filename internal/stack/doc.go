// Package stack is the CloudFormation engine: it turns a template into
// resources, in order and in parallel, and back into nothing. It knows no
// service; resource types come to it in a Registry.
//
// A stack's row says by its status which phase has it (phase_*.go); a worker runs
// phases until the stack rests, and goes on from the rows after a restart:
//
//	CREATE_IN_PROGRESS -> CREATE_COMPLETE | ROLLBACK_IN_PROGRESS -> ROLLBACK_COMPLETE
//	UPDATE_IN_PROGRESS -> .._CLEANUP_IN_PROGRESS -> UPDATE_COMPLETE
//	                    \-> UPDATE_ROLLBACK_IN_PROGRESS -> .._CLEANUP_.. -> UPDATE_ROLLBACK_COMPLETE
//
// While an update goes on, a member's row has two shapes: what it is and what it was
// (Member.Other). A replacement gives both a physical resource; a rollback exchanges
// them, and the clean-up deletes whichever is Other then.
//
// It owns the stacks, their resources, events and signals (tables cfn.*). It
// imports template (its subpackage), store, aws and clock. The flow enters in
// Engine's Create, Update, Rollback, Delete and DetectDrift, called by service/cloudformation once a
// request has been judged sound, and leaves through the Resource methods, called
// with the stack's caller in ctx, and through events in the store.
package stack

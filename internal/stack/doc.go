// Package stack is the CloudFormation engine: it turns a template into
// resources, in order and in parallel, and back into nothing. It knows no
// service; resource types come to it in a Registry.
//
// It owns the stacks, their resources, events and signals (tables cfn.*). It
// imports template (its subpackage), store, aws and clock. The flow enters in
// Engine's Create, Update and Delete, called by service/cloudformation once a
// request has been judged sound, and leaves through the Resource methods, called
// with the stack's caller in ctx, and through events in the store.
package stack

// Package api is the root of the generated descriptions of AWS's APIs: one
// package per service with its Go types and its table, written by
// internal/awsgen (NOTICE says from what). It holds nothing itself.
package api

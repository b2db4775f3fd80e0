// Package phone turns a telephone number as people write it into E.164, and keeps
// what it has found in a bounded cache: parsing is the dearest step of a merge.
package phone

// Package simkit is what simulators of CRMs are built on: the log of a simulated
// account, misbehaviour on order, and the simulator's own surface below /_sim/.
//
// In: the lines a simulator writes down, the faults that a test arms. Out: the lines
// again after a restart; requests that are answered wrongly, late or not at all.
//
// Kept here: a line that Append returned for is with the operating system and
// survives kill -9 of the process (not a power cut: there is no fsync); a line that
// was torn by the end of the process was never answered for, and is cut off.
//
// It must never know a CRM's wire format, nor anything of this repository but itself.
package simkit

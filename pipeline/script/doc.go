// Package script runs the JavaScript expressions of tenants' custom transforms.
//
// In: an expression and a value as text, or null. Out: a text, or null; numbers and
// truth values become text, and an object is an error. Same expression and value, same
// answer, on every machine and at every replay (P9): the clock and the random number
// stand still, the time zone is UTC, all objects of the language are frozen, so that
// no call leaves a trace for the next, and what could catch its own cutting off is
// refused (try).
//
// What is not determined so is where a script is cut off: by time, memory or depth.
// Such an error is mapping.ErrCutOff. Whoever runs the pure core must not go on from
// there, as another run might get further: the script is quarantined by an input, an
// action on control.actions, and the batch is run again. See pipeline.ScriptCutOff.
//
// A Host never keeps a reference to a value, reads no file and no environment, and
// gives a script no way to do so: no module is loaded, no function of ours is there to
// call.
package script

// Package bench measures the speeds that docs/performance.md quotes, each against
// its bound in the same run: `make bench`. A figure without its bound beside it
// says more of the machine than of the code.
package bench

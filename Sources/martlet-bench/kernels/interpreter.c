// A switch loop: a small stack machine runs a prime sieve, Collatz chains and greatest common divisors.
#include "kernel.h"

enum { HALT, PUSH, LOAD, STORE, FETCH, PUT, ADD, SUB, MUL, AND, SHR, LESS, DUP, JUMP, JUMP_ZERO, JUMP_NOT_ZERO, LABEL };

static int32_t memory[4096];

static NOINLINE int32_t execute(const int32_t *code) {
  int32_t stack[32] = {0}, locals[4] = {0};
  int32_t *top = stack;
  for (const int32_t *pc = code;;) {
    switch (*pc++) {
    case HALT: return *top;
    case PUSH: *++top = *pc++; break;
    case LOAD: *++top = locals[*pc++]; break;
    case STORE: locals[*pc++] = *top--; break;
    case FETCH: *top = memory[*top & 4095]; break;
    case PUT: memory[*top & 4095] = top[-1], top -= 2; break;
    case ADD: top--, *top = (int32_t)((uint32_t)*top + (uint32_t)top[1]); break;
    case SUB: top--, *top = (int32_t)((uint32_t)*top - (uint32_t)top[1]); break;
    case MUL: top--, *top = (int32_t)((uint32_t)*top * (uint32_t)top[1]); break;
    case AND: top--, *top &= top[1]; break;
    case SHR: top--, *top = (int32_t)((uint32_t)*top >> (top[1] & 31)); break;
    case LESS: top--, *top = *top < top[1]; break;
    case DUP: top++, *top = top[-1]; break;
    case JUMP: pc = code + *pc; break;
    case JUMP_ZERO: pc = *top-- == 0 ? code + *pc : pc + 1; break;
    case JUMP_NOT_ZERO: pc = *top-- != 0 ? code + *pc : pc + 1; break;
    default: return -1;
    }
  }
}

// Copies a program without its `LABEL n` marks and turns the labels that jumps name into positions.
static void assemble(int32_t *code, const int32_t *source, int count) {
  static const char operands[] = {[PUSH] = 1, [LOAD] = 1, [STORE] = 1, [JUMP] = 1, [JUMP_ZERO] = 1, [JUMP_NOT_ZERO] = 1, [LABEL] = 1};
  int32_t position[16] = {0};
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0, at = 0; i < count; i += 1 + operands[source[i]]) {
      if (source[i] == LABEL) {
        position[source[i + 1]] = at;
        continue;
      }
      code[at++] = source[i];
      if (operands[source[i]]) code[at++] = source[i] >= JUMP ? position[source[i + 1]] : source[i + 1];
    }
}

// The number of primes below 2048. Locals: 0 candidate, 1 multiple, 2 count.
static const int32_t sieve[] = {
    LABEL, 0, PUSH, 0, LOAD, 0, PUT, LOAD, 0, PUSH, 1, ADD, DUP, STORE, 0, PUSH, 2048, LESS, JUMP_NOT_ZERO, 0,
    PUSH, 2, STORE, 0,
    LABEL, 1, LOAD, 0, FETCH, JUMP_NOT_ZERO, 3,
    LOAD, 2, PUSH, 1, ADD, STORE, 2, LOAD, 0, DUP, ADD, STORE, 1,
    LABEL, 2, LOAD, 1, PUSH, 2048, LESS, JUMP_ZERO, 3,
    PUSH, 1, LOAD, 1, PUT, LOAD, 1, LOAD, 0, ADD, STORE, 1, JUMP, 2,
    LABEL, 3, LOAD, 0, PUSH, 1, ADD, DUP, STORE, 0, PUSH, 2048, LESS, JUMP_NOT_ZERO, 1,
    LOAD, 2, HALT,
};

// The steps of all Collatz chains from 1 to 99. Locals: 0 start, 1 value, 2 steps.
static const int32_t collatz[] = {
    LABEL, 0, LOAD, 0, PUSH, 1, ADD, DUP, STORE, 0, STORE, 1,
    LABEL, 1, PUSH, 1, LOAD, 1, LESS, JUMP_ZERO, 4,
    LOAD, 2, PUSH, 1, ADD, STORE, 2, LOAD, 1, PUSH, 1, AND, JUMP_ZERO, 2,
    LOAD, 1, PUSH, 3, MUL, PUSH, 1, ADD, STORE, 1, JUMP, 1,
    LABEL, 2, LOAD, 1, PUSH, 1, SHR, STORE, 1, JUMP, 1,
    LABEL, 4, LOAD, 0, PUSH, 99, LESS, JUMP_NOT_ZERO, 0,
    LOAD, 2, HALT,
};

// The sum of gcd(i, 360) for i from 1 to 199, by subtraction. Locals: 0 i, 1 and 2 the pair, 3 sum.
static const int32_t divisors[] = {
    LABEL, 0, LOAD, 0, PUSH, 1, ADD, DUP, STORE, 0, STORE, 1, PUSH, 360, STORE, 2,
    LABEL, 1, LOAD, 1, LOAD, 2, SUB, JUMP_ZERO, 3,
    LOAD, 1, LOAD, 2, LESS, JUMP_ZERO, 2,
    LOAD, 2, LOAD, 1, SUB, STORE, 2, JUMP, 1,
    LABEL, 2, LOAD, 1, LOAD, 2, SUB, STORE, 1, JUMP, 1,
    LABEL, 3, LOAD, 3, LOAD, 1, ADD, STORE, 3, LOAD, 0, PUSH, 199, LESS, JUMP_NOT_ZERO, 0,
    LOAD, 3, HALT,
};

uint64_t kernel_run(uint32_t scale) {
  static int32_t programs[3][128];
  uint64_t sum = CHECKSUM_START;
  assemble(programs[0], sieve, sizeof sieve / sizeof *sieve);
  assemble(programs[1], collatz, sizeof collatz / sizeof *collatz);
  assemble(programs[2], divisors, sizeof divisors / sizeof *divisors);
  for (uint32_t round = 0; round < scale; round++)
    for (int i = 0; i < 3; i++) sum = checksum_add(sum, (uint32_t)execute(programs[i]));
  return sum;
}

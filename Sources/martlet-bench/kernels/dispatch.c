// Indirect calls: objects of eight classes behind tables of functions, and a pipeline of function pointers that changes as it runs.
#include "kernel.h"

#define OBJECTS 256
#define STAGES 8

struct object;

struct class {
  void (*step)(struct object *self, uint32_t input);
  uint32_t (*value)(const struct object *self);
  int (*ready)(const struct object *self);
};

struct object {
  const struct class *class;
  uint32_t state, count;
};

static uint32_t plain_value(const struct object *self) { return self->state; }
static uint32_t mixed_value(const struct object *self) { return self->state ^ self->count * 7; }
static int always(const struct object *self) { return self != NULL; }
static int every_other(const struct object *self) { return self->count & 1; }

static void step_sum(struct object *self, uint32_t input) { self->state += input; }
static void step_xor(struct object *self, uint32_t input) { self->state ^= input, self->count++; }
static void step_max(struct object *self, uint32_t input) { self->state = input > self->state ? input : self->state - 1; }
static void step_count(struct object *self, uint32_t input) { self->count += input & 1; }
static void step_shift(struct object *self, uint32_t input) { self->state = self->state << 1 | (input & 1); }
static void step_latch(struct object *self, uint32_t input) { if (input & 4) self->state = input, self->count++; }
static void step_rotate(struct object *self, uint32_t input) { self->state = (self->state << 5 | self->state >> 27) + input; }
static void step_toggle(struct object *self, uint32_t input) { self->state = ~self->state + input, self->count += 3; }

static const struct class classes[8] = {
    {step_sum, plain_value, always},  {step_xor, mixed_value, every_other},    {step_max, plain_value, always},
    {step_count, mixed_value, always}, {step_shift, plain_value, always},       {step_latch, mixed_value, every_other},
    {step_rotate, plain_value, always}, {step_toggle, mixed_value, every_other},
};

static struct object objects[OBJECTS];

static NOINLINE uint32_t run_objects(uint32_t input) {
  uint32_t total = 0;
  for (int i = 0; i < OBJECTS; i++) {
    struct object *o = &objects[i];
    o->class->step(o, input + total);
    if (o->class->ready(o)) total += o->class->value(o);
  }
  return total;
}

typedef uint32_t stage(uint32_t);

static uint32_t stage_add(uint32_t x) { return x + 0x9e3779b9u; }
static uint32_t stage_fold(uint32_t x) { return x ^ x >> 15; }
static uint32_t stage_scale(uint32_t x) { return x * 5 + 1; }
static uint32_t stage_invert(uint32_t x) { return ~x; }

static stage *const stages[4] = {stage_add, stage_fold, stage_scale, stage_invert};
static stage *pipeline[STAGES];

static NOINLINE uint32_t run_pipeline(uint32_t x, int rounds) {
  for (int i = 0; i < rounds; i++) {
    for (int s = 0; s < STAGES; s++) x = pipeline[s](x);
    pipeline[x % STAGES] = stages[x >> 8 & 3];
  }
  return x;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint32_t state = 0xfeed;
  for (int i = 0; i < OBJECTS; i++) objects[i] = (struct object){&classes[random_next(&state) & 7], state, 0};
  for (int s = 0; s < STAGES; s++) pipeline[s] = stages[s & 3];
  for (uint32_t round = 0; round < scale; round++) {
    uint32_t total = run_objects(round);
    sum = checksum_add(sum, total);
    sum = checksum_add(sum, run_pipeline(total, 32));
  }
  return sum;
}

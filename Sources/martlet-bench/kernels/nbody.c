// Gravitation among six bodies in double or single precision, by the leapfrog method.
#include "kernel.h"

#define BODIES 6

struct body {
  real x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static void place_bodies(void) {
  for (int i = 0; i < BODIES; i++) {
    real distance = i * (real)1.5, speed = i == 0 ? 0 : 1 / REAL_SQRT(distance);
    real side = i & 1 ? 1 : -1;
    bodies[i] = (struct body){side * distance, (real)0.1 * i, (real)0.02 * i, 0, side * speed, (real)0.01 * side, i == 0 ? 1 : (real)0.0005 * i};
  }
}

static NOINLINE void step(real dt) {
  for (int i = 0; i < BODIES; i++) {
    struct body *a = &bodies[i];
    for (int j = i + 1; j < BODIES; j++) {
      struct body *b = &bodies[j];
      real dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      real square = dx * dx + dy * dy + dz * dz;
      real pull = dt / (square * REAL_SQRT(square));
      a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
      b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
    }
  }
  for (int i = 0; i < BODIES; i++) {
    struct body *a = &bodies[i];
    a->x += dt * a->vx, a->y += dt * a->vy, a->z += dt * a->vz;
  }
}

static NOINLINE real energy(void) {
  real sum = 0;
  for (int i = 0; i < BODIES; i++) {
    const struct body *a = &bodies[i];
    sum += (real)0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
    for (int j = i + 1; j < BODIES; j++) {
      const struct body *b = &bodies[j];
      real dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      sum -= a->mass * b->mass / REAL_SQRT(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  place_bodies();
  for (uint32_t round = 0; round < scale; round++) {
    for (int i = 0; i < 100; i++) step((real)0.005);
    sum = checksum_add(sum, real_bits(energy()));
  }
  for (int i = 0; i < BODIES; i++) sum = checksum_add(sum, real_bits(bodies[i].x));
  return sum;
}

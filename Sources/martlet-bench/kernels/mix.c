// A mix of what small firmware does: linked lists, integer matrices and a character state machine, tied together by a CRC-16.
#include "kernel.h"

static uint16_t crc16(uint16_t crc, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; i++, value >>= 8) {
    crc ^= (uint8_t)value;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
  }
  return crc;
}

// Lists: a merge sort by either of two keys, searches, a reversal.

#define NODES 200

struct node {
  struct node *next;
  int16_t rank, value;
};

static struct node nodes[NODES];

static struct node *merge(struct node *a, struct node *b, int by_value) {
  struct node *head = NULL, **tail = &head;
  while (a != NULL && b != NULL) {
    int left = by_value ? a->value <= b->value : a->rank <= b->rank;
    struct node **from = left ? &a : &b;
    *tail = *from;
    tail = &(*from)->next;
    *from = *tail;
  }
  *tail = a != NULL ? a : b;
  return head;
}

static NOINLINE struct node *sort_list(struct node *list, int by_value) {
  struct node *bins[10] = {NULL};
  while (list != NULL) {
    struct node *one = list;
    list = list->next;
    one->next = NULL;
    int i = 0;
    for (; i < 9 && bins[i] != NULL; i++) {
      one = merge(bins[i], one, by_value);
      bins[i] = NULL;
    }
    bins[i] = one;
  }
  struct node *sorted = NULL;
  for (int i = 0; i < 10; i++) sorted = merge(bins[i], sorted, by_value);
  return sorted;
}

static NOINLINE struct node *reverse_list(struct node *list) {
  struct node *reversed = NULL;
  while (list != NULL) {
    struct node *next = list->next;
    list->next = reversed;
    reversed = list;
    list = next;
  }
  return reversed;
}

static NOINLINE uint32_t find_steps(const struct node *list, int16_t value) {
  uint32_t steps = 0;
  for (; list != NULL && list->value != value; list = list->next) steps++;
  return steps;
}

static uint16_t list_work(uint16_t crc, uint32_t seed) {
  struct node *list = NULL;
  for (int i = 0; i < NODES; i++) {
    nodes[i] = (struct node){list, (int16_t)i, (int16_t)(random_next(&seed) & 0x3fff)};
    list = &nodes[i];
  }
  for (int i = 0; i < NODES; i += 7) crc = crc16(crc, find_steps(list, nodes[i].value), 2);
  list = reverse_list(sort_list(list, 1));
  for (struct node *n = list; n != NULL; n = n->next) crc = crc16(crc, (uint16_t)n->rank, 1);
  list = sort_list(list, 0);
  return crc16(crc, (uint32_t)list->value, 2);
}

// Matrices: product, product with a vector, and a threshold sum.

#define N 20

static int16_t left[N][N], right[N][N];
static int32_t product[N][N];

static NOINLINE void multiply(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      int32_t sum = 0;
      for (int k = 0; k < N; k++) sum += left[i][k] * right[k][j];
      product[i][j] = sum;
    }
}

static NOINLINE uint32_t threshold_sum(int32_t limit) {
  int32_t running = 0, previous = 0;
  uint32_t result = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      running = (int32_t)((uint32_t)running + (uint32_t)product[i][j]);
      if (running > limit) {
        result += 10;
        running = 0;
      } else {
        result += product[i][j] > previous;
      }
      previous = product[i][j];
    }
  return result;
}

static uint16_t matrix_work(uint16_t crc, uint32_t seed) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      uint32_t r = random_next(&seed);
      left[i][j] = (int16_t)(r & 0xff) - 100;
      right[i][j] = (int16_t)(r >> 16 & 0xff) - 120;
    }
  multiply();
  crc = crc16(crc, threshold_sum((int32_t)(seed & 0xffff)), 4);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) left[i][j] = (int16_t)(product[i][j] >> 3 & 0x7f);
  multiply();
  return crc16(crc, threshold_sum(30000), 4);
}

// A state machine: recognises numbers, words, comments and rubbish in a line of text.

enum state { BLANK, SIGN, INTEGER, POINT, FRACTION, EXPONENT, WORD, COMMENT, RUBBISH, STATES };

static char text[512];

static enum state advance(enum state state, char c) {
  int digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'z';
  if (c == ',' || c == ' ') return state == COMMENT ? COMMENT : BLANK;
  if (c == ';') return BLANK;
  switch (state) {
  case BLANK:
    if (digit) return INTEGER;
    if (c == '+' || c == '-') return SIGN;
    if (c == '#') return COMMENT;
    if (c == '.') return POINT;
    return letter ? WORD : RUBBISH;
  case SIGN: return digit ? INTEGER : c == '.' ? POINT : RUBBISH;
  case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : RUBBISH;
  case POINT: return digit ? FRACTION : RUBBISH;
  case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : RUBBISH;
  case EXPONENT: return digit || c == '-' ? EXPONENT : RUBBISH;
  case WORD: return letter || digit ? WORD : RUBBISH;
  case COMMENT: return COMMENT;
  default: return RUBBISH;
  }
}

static NOINLINE uint16_t text_work(uint16_t crc, uint32_t seed) {
  static const char alphabet[] = "0123456789012345.e+-#;, ,abc 12,,";
  uint16_t entered[STATES] = {0};
  for (size_t i = 0; i < sizeof text; i++) text[i] = alphabet[random_next(&seed) & 31];
  enum state state = BLANK;
  for (size_t i = 0; i < sizeof text; i++) {
    enum state next = advance(state, text[i]);
    entered[next] += next != state;
    state = next;
  }
  for (int i = 0; i < STATES; i++) crc = crc16(crc, entered[i], 2);
  return crc;
}

uint64_t kernel_run(uint32_t scale) {
  uint64_t sum = CHECKSUM_START;
  uint16_t crc = 0;
  for (uint32_t round = 1; round <= scale; round++) {
    crc = list_work(crc, round * 2654435761u | 1);
    crc = matrix_work(crc, round * 40503u | 1);
    crc = text_work(crc, round * 69069u | 1);
    sum = checksum_add(sum, crc);
  }
  return sum;
}

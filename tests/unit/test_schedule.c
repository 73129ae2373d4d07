/*
 * Who has the model next: ranks, places, standing aside, groups, and lengths of pieces by what
 * listeners need. Time is real but no assertion is about it: what is checked is the order.
 */
#include "check.h"

#include "base/clock.h"
#include "engine/piece_length.h"
#include "engine/schedule.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

TEST(ranks)
{
    double key = 0.0;
    kk_turn turn = {.kind = KK_TURN_BATCH, .came_s = 90.0, .asked_s = 90.0};
    CHECK_INT(kk_turn_rank(&turn, 100.0, 0.0, &key), KK_RANK_BATCH);
    CHECK(key == 90.0);
    CHECK_INT(kk_turn_rank(&turn, 111.0, 0.0, &key), KK_RANK_NEW); /* it has waited long enough */
    turn = (kk_turn){.kind = KK_TURN_NEW, .came_s = 100.0, .due_s = 100.25};
    CHECK_INT(kk_turn_rank(&turn, 100.0, 0.0, &key), KK_RANK_NEW);
    CHECK(key == 100.25);
    CHECK_INT(kk_turn_rank(&turn, 100.0, 3.0, &key), KK_RANK_NEW);
    CHECK(key == 103.25); /* its group has used the model for 3 s */
    CHECK_INT(kk_turn_rank(&turn, 119.9, 0.0, &key), KK_RANK_NEW);
    CHECK_INT(kk_turn_rank(&turn, 120.1, 0.0, &key), KK_RANK_DRY); /* he has waited long enough */
    CHECK(key == 100.25); /* before those who have run dry since */
    turn = (kk_turn){.kind = KK_TURN_PLAYING, .due_s = 103.0, .cost_s = 0.5};
    CHECK_INT(kk_turn_rank(&turn, 100.0, 9.0, &key), KK_RANK_AHEAD);
    CHECK(key == 103.0); /* a listener hears no group */
    CHECK_INT(kk_turn_rank(&turn, 102.45, 9.0, &key), KK_RANK_DRY);
    CHECK(key == 102.5);
    turn.due_s = 200.0;
    CHECK_INT(kk_turn_rank(&turn, 100.0, 0.0, &key), KK_RANK_BATCH);
}

/* --- threads that take turns --- */

typedef struct hall {
    kk_schedule schedule;
    atomic_int n_inside, most_inside;
    atomic_int order[32], n_order;
} hall;

typedef struct visitor {
    hall *h;
    kk_turn turn;
    int name;
    atomic_bool cancel;
    bool was_served;
    pthread_t thread;
} visitor;

static bool is_cancelled(void *user)
{
    return atomic_load(&((visitor *)user)->cancel);
}

static void enter(hall *h, int name)
{
    const int inside = atomic_fetch_add(&h->n_inside, 1) + 1;
    int most = atomic_load(&h->most_inside);
    while (inside > most && !atomic_compare_exchange_weak(&h->most_inside, &most, inside))
        continue;
    atomic_store(&h->order[atomic_fetch_add(&h->n_order, 1)], name);
}

static void *visit(void *user)
{
    visitor *v = user;
    v->was_served = kk_schedule_take(&v->h->schedule, &v->turn);
    if (v->was_served) {
        enter(v->h, v->name);
        atomic_fetch_sub(&v->h->n_inside, 1);
        kk_schedule_pass(&v->h->schedule, &v->turn);
    }
    return NULL;
}

/* Returns when it stands in the line. */
static void send(hall *h, visitor *v, int name, kk_turn turn)
{
    kk_schedule_view before, now;
    kk_schedule_read(&h->schedule, &before);
    v->h = h;
    v->name = name;
    v->turn = turn;
    v->turn.cancelled = is_cancelled;
    v->turn.user = v;
    atomic_init(&v->cancel, false);
    CHECK_INT(pthread_create(&v->thread, NULL, visit, v), 0);
    do {
        pause_ms(1);
        kk_schedule_read(&h->schedule, &now);
    } while (now.n_waiting == before.n_waiting);
}

TEST(the_most_pressed_comes_first)
{
    static hall h;
    static visitor v[5];
    CHECK_INT(kk_schedule_init(&h.schedule), 0);
    kk_schedule_set(&h.schedule, 1, 2);
    kk_turn holder = {.kind = KK_TURN_BATCH};
    CHECK(kk_schedule_take(&h.schedule, &holder));
    const double now_s = kk_now_s();
    send(&h, &v[0], 0, (kk_turn){.kind = KK_TURN_BATCH, .came_s = now_s - 9.0});
    send(&h, &v[1], 1, (kk_turn){.kind = KK_TURN_PLAYING, .due_s = now_s + 8.0});
    send(&h, &v[2], 2, (kk_turn){.kind = KK_TURN_NEW, .due_s = now_s + 3.0});
    send(&h, &v[3], 3, (kk_turn){.kind = KK_TURN_NEW, .due_s = now_s + 2.0});
    send(&h, &v[4], 4, (kk_turn){.kind = KK_TURN_PLAYING, .due_s = now_s, .cost_s = 0.1});
    kk_schedule_view view;
    kk_schedule_read(&h.schedule, &view);
    CHECK_INT(view.n_waiting, 5);
    CHECK_INT(view.n_active, 1);
    CHECK_INT(view.n_pressed, 3);
    CHECK_INT(view.n_listeners, 4);
    CHECK_INT(view.n_each, 2);
    kk_schedule_pass(&h.schedule, &holder);
    for (int i = 0; i < 5; i++)
        CHECK_INT(pthread_join(v[i].thread, NULL), 0);
    const int want[5] = {4, 3, 2, 1, 0};
    for (int i = 0; i < 5; i++)
        CHECK_INT(atomic_load(&h.order[i]), want[i]);
    CHECK_INT(atomic_load(&h.most_inside), 1);
    kk_schedule_fini(&h.schedule);
}

TEST(who_waits_can_be_cancelled)
{
    static hall h;
    static visitor v;
    CHECK_INT(kk_schedule_init(&h.schedule), 0);
    kk_turn holder = {.kind = KK_TURN_BATCH};
    CHECK(kk_schedule_take(&h.schedule, &holder));
    send(&h, &v, 0, (kk_turn){.kind = KK_TURN_NEW, .due_s = kk_now_s()});
    atomic_store(&v.cancel, true);
    CHECK_INT(pthread_join(v.thread, NULL), 0);
    CHECK(!v.was_served);
    kk_schedule_view view;
    kk_schedule_read(&h.schedule, &view);
    CHECK_INT(view.n_waiting, 0);
    CHECK_INT(view.n_active, 1);
    kk_schedule_pass(&h.schedule, &holder);
    kk_schedule_fini(&h.schedule);
}

TEST(batch_work_stands_aside_within_its_inference)
{
    static hall h;
    static visitor v;
    CHECK_INT(kk_schedule_init(&h.schedule), 0);
    kk_schedule_set(&h.schedule, 1, 1);
    kk_turn batch = {.kind = KK_TURN_BATCH, .came_s = kk_now_s()};
    CHECK(kk_schedule_take(&h.schedule, &batch));
    pause_ms(5);
    CHECK(kk_schedule_yield(&h.schedule, &batch) <= 0.0); /* nobody else is there */
    send(&h, &v, 7, (kk_turn){.kind = KK_TURN_NEW, .due_s = kk_now_s()});
    pause_ms(5);
    CHECK(kk_schedule_yield(&h.schedule, &batch) > 0.0);
    CHECK_INT(atomic_load(&h.n_order), 1); /* served meanwhile */
    CHECK_INT(pthread_join(v.thread, NULL), 0);
    kk_schedule_pass(&h.schedule, &batch);
    kk_schedule_fini(&h.schedule);
}

TEST(few_hands_make_a_first_sound)
{
    static hall h;
    static visitor v;
    CHECK_INT(kk_schedule_init(&h.schedule), 0);
    kk_schedule_set(&h.schedule, 2, 4);
    kk_turn fresh = {.kind = KK_TURN_NEW, .due_s = kk_now_s()};
    CHECK(kk_schedule_take(&h.schedule, &fresh));
    CHECK_INT(atomic_load(&h.schedule.n_each), 4);
    /* There is a second place, but not for batch work while a listener waits. */
    send(&h, &v, 1, (kk_turn){.kind = KK_TURN_BATCH, .came_s = kk_now_s()});
    kk_turn other = {.kind = KK_TURN_NEW, .due_s = kk_now_s()};
    CHECK(kk_schedule_take(&h.schedule, &other));
    CHECK_INT(atomic_load(&h.schedule.n_each), 2);
    CHECK_INT(atomic_load(&h.n_order), 0);
    kk_schedule_pass(&h.schedule, &fresh);
    kk_schedule_pass(&h.schedule, &other);
    CHECK_INT(pthread_join(v.thread, NULL), 0);
    CHECK(v.was_served);
    kk_schedule_fini(&h.schedule);
}

TEST(groups_share)
{
    static hall h;
    static visitor v[2];
    CHECK_INT(kk_schedule_init(&h.schedule), 0);
    kk_turn greedy = {.kind = KK_TURN_BATCH, .group = 11};
    CHECK(kk_schedule_take(&h.schedule, &greedy));
    pause_ms(30); /* what group 11 uses */
    const double now_s = kk_now_s();
    send(&h, &v[0], 11, (kk_turn){.kind = KK_TURN_NEW, .due_s = now_s, .group = 11});
    send(&h, &v[1], 12, (kk_turn){.kind = KK_TURN_NEW, .due_s = now_s + 0.01, .group = 12});
    kk_schedule_pass(&h.schedule, &greedy);
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(v[i].thread, NULL), 0);
    CHECK_INT(atomic_load(&h.order[0]), 12);
    CHECK_INT(atomic_load(&h.order[1]), 11);
    kk_schedule_fini(&h.schedule);
}

/* Many threads of all kinds that yield at random moments: never more inside than places, and all
 * come through. */
static void *work(void *user)
{
    visitor *v = user;
    unsigned random = (unsigned)v->name * 7919u + 1u;
    for (int round = 0; round < 40; round++) {
        random = random * 1103515245u + 12345u;
        v->turn.kind = (enum kk_turn_kind)(random >> 16 & 3u) % 3;
        v->turn.due_s = kk_now_s() + (double)(random >> 18 & 255u) * 1e-3;
        v->turn.group = random >> 20 & 3u;
        if (!kk_schedule_take(&v->h->schedule, &v->turn))
            return NULL;
        for (int i = 0; i < 3; i++) {
            const int inside = atomic_fetch_add(&v->h->n_inside, 1) + 1;
            if (inside > 2)
                atomic_store(&v->h->most_inside, inside);
            pause_ms(1);
            atomic_fetch_sub(&v->h->n_inside, 1);
            if (kk_schedule_yield(&v->h->schedule, &v->turn) < 0.0)
                return NULL;
        }
        kk_schedule_pass(&v->h->schedule, &v->turn);
    }
    v->was_served = true;
    return NULL;
}

TEST(no_more_inside_than_places)
{
    static hall h;
    static visitor v[8];
    CHECK_INT(kk_schedule_init(&h.schedule), 0);
    kk_schedule_set(&h.schedule, 2, 2);
    for (int i = 0; i < 8; i++) {
        v[i] = (visitor){.h = &h, .name = i};
        CHECK_INT(pthread_create(&v[i].thread, NULL, work, &v[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        CHECK_INT(pthread_join(v[i].thread, NULL), 0);
        CHECK(v[i].was_served);
    }
    CHECK_INT(atomic_load(&h.most_inside), 0);
    kk_schedule_view view;
    kk_schedule_read(&h.schedule, &view);
    CHECK_INT(view.n_waiting + view.n_active, 0);
    kk_schedule_fini(&h.schedule);
}

/* --- lengths of pieces --- */

TEST(pieces_follow_the_need)
{
    kk_piece_need need = {
        .load = {1, 0.08}, .begins_chunk = true, .is_first = true, .cost_s = 0.08, .rest_s = 6.0};
    CHECK(kk_piece_length_for(&need).length_s == 0.55);
    need.load.n_listeners = 8; /* they must last for a round of all */
    const kk_piece_length crowded = kk_piece_length_for(&need);
    CHECK(crowded.length_s > 0.55 && crowded.length_s < 1.5);
    need.begins_chunk = need.is_first = false;
    need.load.n_listeners = 1;
    need.time_s = -1.0; /* he waits: the shortest */
    CHECK(kk_piece_length_for(&need).length_s == 0.4);
    need.time_s = 1.0;
    const kk_piece_length longer = kk_piece_length_for(&need);
    CHECK(longer.length_s > 0.4 && longer.length_s <= 6.0);
    /* What is computed for it can be done in the time. */
    CHECK(longer.made_s * need.cost_s < need.time_s);
    need.time_s = 20.0; /* all of it */
    CHECK(kk_piece_length_for(&need).length_s == 6.0);
    need.time_s = 0.2;
    need.rest_s = 0.7; /* no stump is left */
    CHECK(kk_piece_length_for(&need).length_s == 0.7);
}

/* For every load that can be carried a round of shortest pieces is over before they are played. */
TEST(a_round_lasts_no_longer_than_its_pieces)
{
    for (int n = 1; n <= 16; n++) {
        for (int c = 1; c <= 40; c++) {
            const kk_piece_load load = {n, c * 0.005};
            const kk_piece_need need = {
                .load = load, .time_s = 0.0, .cost_s = 0.005 * c, .rest_s = 100.0};
            const double length_s = kk_piece_length_for(&need).length_s;
            const double round_s = n * load.machine_cost_s * kk_piece_least_s(&load, false);
            CHECK(length_s >= 0.4 && length_s <= 1.5);
            if (n * load.machine_cost_s < 0.7)
                CHECK(round_s <= length_s);
        }
    }
}

TEST_MAIN(T(ranks), T(the_most_pressed_comes_first), T(who_waits_can_be_cancelled),
          T(batch_work_stands_aside_within_its_inference), T(few_hands_make_a_first_sound),
          T(groups_share), T(no_more_inside_than_places), T(pieces_follow_the_need),
          T(a_round_lasts_no_longer_than_its_pieces))

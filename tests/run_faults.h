/* What requests about datasets and runs can get wrong, and what is told. */
#ifndef EVALD_TESTS_RUN_FAULTS_H
#define EVALD_TESTS_RUN_FAULTS_H

#define GT                                                             \
    "{\"images\":[{\"id\":3},{\"id\":1},{\"id\":2}],"                  \
    "\"categories\":[{\"id\":7,\"name\":\"cat\"}],\"annotations\":["   \
    "{\"id\":1,\"image_id\":1,\"category_id\":7,\"bbox\":[0,0,10,10]," \
    "\"area\":100},{\"id\":2,\"image_id\":2,\"category_id\":7,"        \
    "\"bbox\":[0,0,10,10],\"area\":100}]}"
#define OTHER "{\"images\":[{\"id\":1}],\"categories\":[],\"annotations\":[]}"
#define DT(image) \
    "{\"image_id\":" image ",\"category_id\":7,\"bbox\":[0,0,10,9],\"score\":"
#define BATCH                                                   \
    "{\"image_ids\":[1,2],\"detections\":[" DT("1") "0.5}," DT( \
        "2") "0.4}," DT("1") "0.25}]}"

struct fault {
    const char *method, *path, *query, *body;
    int status;
    const char *pointer, *detail; /* of the first fault */
};

#define POST "POST"
#define IMAGES "/images"
#define D(members) "{\"image_ids\":[1],\"detections\":[" members "]}"
#define X100                                                                   \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* A path that begins with / is whole, others are below the run. */
static const struct fault rows[] = {
    {"PUT", "/v1/datasets/.x", "", GT, 422, "",
     "\".x\" is no name of a dataset: 1 to 100 letters, digits or any of ._-, "
     "first a letter or digit"},
    {"PUT", "/v1/datasets/" X100 "x", "", GT, 422, "",
     "\"" X100 "\" is no name of a dataset: 1 to 100 letters, digits or any of "
     "._-, first a letter or digit"},
    {"PUT", "/v1/datasets/x", "",
     "{\"images\":[{\"id\":1},{\"id\":1}],"
     "\"categories\":[],\"annotations\":[]}",
     422, "/images/1/id", "images[1].id is 1, the id of image 0 already"},
    {"PUT", "/v1/datasets/x", "", "[]", 422, "",
     "the document is an array, must be an object"},
    {"PUT", "/v1/datasets/x", "", "{", 400, "", NULL},
    {"PUT", "/v1/datasets/x", "replace=2", GT, 422, "/replace", NULL},
    {"GET", "/v1/datasets/none", "", NULL, 404, "",
     "there is no dataset \"none\""},
    {"DELETE", "/v1/datasets/none", "", NULL, 404, "",
     "there is no dataset \"none\""},
    {"GET", "/v1/datasets", "limit=0", NULL, 422, "/limit", NULL},
    {"GET", "/v1/datasets", "cursor=", NULL, 422, "/cursor",
     "cursor must be the \"next\" of the page before"},
    {"GET", "/v1/datasets", "limti=3", NULL, 422, "/limti", NULL},
    {POST, "/v1/runs", "", "{}", 422, "/dataset",
     "dataset is missing; it must be the name of a dataset"},
    {POST, "/v1/runs", "", "{\"dataset\":1}", 422, "/dataset",
     "dataset is a number, must be the name of a dataset"},
    {POST, "/v1/runs", "", "{\"dataset\":\"vla\"}", 422, "/dataset",
     "dataset is \"vla\", which there is not; did you mean \"val\"?"},
    {POST, "/v1/runs", "", "{\"dataset\":\"something\"}", 422, "/dataset",
     "dataset is \"something\", which there is not; PUT /v1/datasets/{name} "
     "first"},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"nme\":1}", 422, "/nme",
     "nme is not a known member; did you mean \"name\"?"},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"name\":1}", 422, "/name",
     "name is a number, must be a string"},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"name\":\"" X100 X100 "x\"}",
     422, "/name", "name has 201 bytes, may have 200"},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"tags\":[]}", 422, "/tags",
     "tags is an array, must be an object"},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"tags\":{\"a\":null}}", 422,
     "/tags/a", "tags.a is null, must be a string"},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"tags\":{\"\":\"\"}}", 422,
     "/tags/", NULL},
    {POST, "/v1/runs", "",
     "{\"dataset\":\"val\",\"parameters\":{\"iou_type\":\"segm\"}}", 501,
     "/parameters/iou_type", NULL},
    {POST, "/v1/runs", "",
     "{\"dataset\":\"val\",\"parameters\":{\"iou_thresholds\":[2]}}", 422,
     "/parameters/iou_thresholds/0", NULL},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"expected_images\":4}", 422,
     "/expected_images",
     "expected_images is 4, must be from 1 to 3, the images of the dataset"},
    {POST, "/v1/runs", "", "{\"dataset\":\"val\",\"expected_images\":0}", 422,
     "/expected_images", NULL},
    {"GET", "/v1/runs", "state=done", NULL, 422, "/state",
     "state is \"done\", must be open or finalized"},
    {"GET", "/v1/runs/x", "", NULL, 404, "", "there is no run of this id"},
    {"GET", "/v1/runs/01234567890123456789012345", "", NULL, 404, "",
     "there is no run of this id"},
    {"PATCH", "", "", "{\"tags\":{\"a\":1}}", 422, "/tags/a",
     "tags.a is a number, must be a string"},
    {"PATCH", "", "", "{\"state\":\"finalized\"}", 422, "/state", NULL},
    {POST, IMAGES, "", "{\"detections\":[]}", 422, "/image_ids",
     "image_ids is missing; it must be an array"},
    {POST, IMAGES, "", "{\"image_ids\":[1]}", 422, "/detections",
     "detections is missing; it must be an array"},
    {POST, IMAGES, "", "[]", 422, "",
     "the document is an array, must be an object"},
    {POST, IMAGES, "", "{\"image_ids\":{},\"detections\":[]}", 422,
     "/image_ids", "image_ids is an object, must be an array"},
    {POST, IMAGES, "", "{\"image_ids\":[1.5],\"detections\":[]}", 422,
     "/image_ids/0", "image_ids[0] is a number, must be an integer"},
    {POST, IMAGES, "", "{\"image_ids\":[1],\"detections\":[],\"imges\":1}", 422,
     "/imges", NULL},
    {POST, IMAGES, "", "{\"image_ids\":[1,9],\"detections\":[]}", 422,
     "/image_ids/1", "image_ids[1] is 9, which dataset \"val\" has not"},
    {POST, IMAGES, "", "{\"image_ids\":[1,2,1],\"detections\":[]}", 422,
     "/image_ids/2",
     "image_ids[2] is 1, as item 0 already; send an image's detections "
     "together"},
    {POST, IMAGES, "", D(DT("2") "1}"), 422, "/detections/0/image_id",
     "detection 0 is on image 2, which image_ids does not list"},
    {POST, IMAGES, "",
     "{\"image_ids\":[1],\"detections\":{\"image_id\":[1,2],"
     "\"category_id\":[7,7],\"bbox\":[[0,0,1,1],[0,0,1,1]],"
     "\"score\":[1,1]}}",
     422, "/detections/image_id/1",
     "detection 1 is on image 2, which image_ids does not list"},
    {POST, IMAGES, "",
     D("{\"image_id\":1,\"category_id\":7,\"bbox\":[0,0,1],"
       "\"score\":1}"),
     422, "/detections/0/bbox", NULL},
    {POST, IMAGES, "", D(DT("1") "\"NaN\"}"), 422, "/detections/0/score",
     "detections[0].score is NaN, must be a finite number"},
    {POST, IMAGES, "", D(DT("1") "1"), 400, "", NULL},
    {POST, IMAGES, "on_conflict=take", "{\"image_ids\":[],\"detections\":[]}",
     422, "/on_conflict", "on_conflict is \"take\", must be replace or error"},
    {POST, "/finalize", "", NULL, 409, "",
     "0 of 3 images are in; ?partial scores these"},
    {POST, "/finalize", "partial=maybe", NULL, 422, "/partial", NULL},
    {POST, "/finalize", "", "{\"outputs\":[\"all\"]}", 422, "/outputs/0", NULL},
    {POST, "/finalize", "", "{\"iou_thresholds\":[0.5]}", 422,
     "/iou_thresholds", NULL},
    {POST, "/finalize", "", "{\"curve_points\":1}", 422, "/curve_points", NULL},
};

#endif

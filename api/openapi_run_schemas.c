/* Schemas of datasets and runs. */
#include "api/openapi.h"

#include <stdio.h>
#include <string.h>

#define OPTION(name)                                                \
    "'" name "':{'$ref':'#/components/schemas/DetectionParameters/" \
    "properties/" name "'}"
#define RUN_REQUIRED                                                        \
    "'required':['id','state','name','dataset','dataset_sha256',"           \
    "'protocol','tags','expected_images','images','detections','progress'," \
    "'bytes','created_at','updated_at','finalized_at','links'"
#define RUN_MEMBERS                                                        \
    "'id':@RunId,'state':@RunStateName,'name':@string,'dataset':{"         \
    "'type':'string','description':'Its name when the run was opened.'},"  \
    "'dataset_sha256':@Sha256,'tags':@Tags,'expected_images':@Count,"      \
    "'images':@Count,'detections':@Count,'progress':{'type':'number',"     \
    "'minimum':0,'maximum':1},'bytes':@Count,'created_at':@Time,"          \
    "'updated_at':@Time,'finalized_at':{'anyOf':[@Time,{'type':'null'}]}," \
    "'links':{'type':'object','required':['self','images','events',"       \
    "'report'],'additionalProperties':{'type':'string',"                   \
    "'format':'uri-reference'},'properties':{'self':@string,"              \
    "'images':@string,'events':@string,'report':@string}}"
#define COMPARED_MEMBERS                                                 \
    "'a':@NullableNumber,'b':@NullableNumber,'delta':{'type':['number'," \
    "'null'],'description':'b less a.'}"

static const struct {
    const char *name, *text;
} schemas[] = {
    {"Sha256", "{'type':'string','pattern':'^[0-9a-f]{64}$'}"},
    {"Time", "{'type':'string','format':'date-time'}"},
    {"Cursor", "{'type':['string','null'],'description':'For cursor of the "
               "next page; null at the end.'}"},
    {"QueryFlag",
     "{'enum':['','true','false','1','0'],'description':'Without a value it "
     "is true.'}"},
    {"DatasetName",
     "{'type':'string','pattern':'^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'}"},
    {"Dataset",
     "{'type':'object','required':['name','sha256','images','annotations',"
     "'categories','bytes','created_at','updated_at'],'properties':{"
     "'name':@DatasetName,'sha256':@Sha256,'images':@Count,"
     "'annotations':@Count,'categories':@Count,'bytes':@Count,"
     "'created_at':@Time,'updated_at':@Time},'description':'sha256 is of the "
     "JSON as it was sent, its encoding taken off.'}"},
    {"Datasets",
     "{'type':'object','required':['datasets','next'],'properties':{"
     "'datasets':{'type':'array','items':@Dataset},'next':@Cursor}}"},
    {"RunId", "{'type':'string','pattern':'^[0-9A-HJKMNP-TV-Z]{26}$'}"},
    {"RunStateName", "{'enum':['open','finalized']}"},
    {"Tags", "{'type':'object','maxProperties':64,"
             "'additionalProperties':@string}"},
    {"RunName", "{'type':'string','description':'At most 200 bytes.'}"},
    {"RunRequest",
     "{'type':'object','additionalProperties':false,'required':['dataset'],"
     "'properties':{'dataset':@DatasetName,'name':@RunName,'tags':@Tags,"
     "'parameters':@DetectionParameters,'expected_images':{'type':'integer',"
     "'minimum':1,'description':'All images of the dataset unless "
     "given.'}}}"},
    {"RunPatch",
     "{'type':'object','additionalProperties':false,'properties':{"
     "'name':@RunName,'tags':{'type':'object',"
     "'additionalProperties':@NullableString,'description':'Are added to "
     "those that are there; null removes one.'}}}"},
    {"Run", "{'type':'object'," RUN_REQUIRED "],'properties':{" RUN_MEMBERS
            ",'protocol':@Protocol}}"},
    {"RunRow", "{'type':'object'," RUN_REQUIRED "],'properties':{" RUN_MEMBERS
               ",'protocol':{'type':'string','description':'Its hash.'}}}"},
    {"RunState",
     "{'type':'object'," RUN_REQUIRED ",'summary','summary_array'],"
     "'properties':{" RUN_MEMBERS ",'protocol':@Protocol,'summary':@Summary,"
     "'summary_array':{'type':'array','minItems':12,'maxItems':12,"
     "'items':@number},'warnings':{'type':'array','items':@Warning,"
     "'description':'Of runs that are finalized.'}}}"},
    {"Runs", "{'type':'object','required':['runs','next'],'properties':{"
             "'runs':{'type':'array','items':@RunRow},'next':@Cursor}}"},
    {"Batch",
     "{'type':'object','additionalProperties':false,'required':['image_ids',"
     "'detections'],'properties':{'image_ids':{'type':'array',"
     "'items':@integer,'uniqueItems':true,'description':'Every image of the "
     "batch, those without detections too.'},'detections':@Detections}}"},
    {"BatchTaken",
     "{'type':'object','required':['run','added','repeated','replaced',"
     "'images','detections','expected_images'],'properties':{'run':@RunId,"
     "'added':@Count,'repeated':@Count,'replaced':@Count,'images':{"
     "'type':'integer','minimum':0,'description':'In the run now.'},"
     "'detections':{'type':'integer','minimum':0,'description':'In the run "
     "now.'},'expected_images':@Count}}"},
    {"FinalizeRequest",
     "{'type':'object','additionalProperties':false,'properties':{"
     "'outputs':@DetectionOutputs," OPTION("curve_points") "," OPTION(
         "score_thresholds") "," OPTION("suspect_score") "," OPTION("interval"
                                                                    "s") "}}"},
    {"TruthView",
     "{'type':'object','required':['annotation_id','category_id','name',"
     "'bbox','area','iscrowd','status','detection'],'properties':{"
     "'annotation_id':@integer,'category_id':@integer,'name':@NullableString,"
     "'bbox':@Box,'area':@number,'iscrowd':{'enum':[0,1]},'status':{"
     "'enum':['found','missed','ignored']},'detection':{'type':['integer',"
     "'null'],'minimum':0,'description':'Which has found it.'}}}"},
    {"DetectionView",
     "{'type':'object','required':['detection','category_id','name','bbox',"
     "'score','status','shown','annotation_id','iou'],'properties':{"
     "'detection':{'type':'integer','minimum':0,'description':'Its place "
     "among those of the image, as they were sent.'},"
     "'category_id':@integer,'name':@NullableString,'bbox':@Box,"
     "'score':@number,'status':{'enum':['true_positive','classification',"
     "'localisation','both','duplicate','background','ignored','cut',"
     "'unknown_category']},'shown':{'type':'boolean','description':'Scores "
     "score_threshold or more.'},'annotation_id':{'type':['integer','null'],"
     "'description':'The ground truth by which it is what it is.'},"
     "'iou':@NullableNumber}}"},
    {"ImageView",
     "{'type':'object','required':['run','image_id','tp','fp','fn','ignored',"
     "'precision','recall','f1','mean_iou','AP','matches','suspects',"
     "'ground_truths','detections'],'properties':{'run':@RunId,"
     "'image_id':@integer,'tp':@Count,'fp':@Count,'fn':@Count,"
     "'ignored':@Count,'precision':@NullableNumber,'recall':@NullableNumber,"
     "'f1':@NullableNumber,'mean_iou':@NullableNumber,'AP':@NullableNumber,"
     "'matches':{'type':'array','items':@Match},'suspects':{'type':'array',"
     "'items':@Suspect},'ground_truths':{'type':'array','items':@TruthView},"
     "'detections':{'type':'array','items':@DetectionView}}}"},
    {"Compared", "{'type':'object','required':['a','b','delta'],"
                 "'properties':{" COMPARED_MEMBERS "}}"},
    {"ComparedInterval",
     "{'type':'object','required':['a','b','delta'],'properties':"
     "{" COMPARED_MEMBERS ",'low':@NullableNumber,'high':@NullableNumber},"
     "'description':'low and high bound the interval of the difference; null "
     "unless both runs have the same images.'}"},
    {"Comparison",
     "{'type':'object','required':['a','b','same_protocol','same_dataset',"
     "'same_images','intervals','summary','per_class','per_image'],"
     "'properties':{'a':@RunRow,'b':@RunRow,'same_protocol':@boolean,"
     "'same_dataset':@boolean,'same_images':@boolean,'intervals':{"
     "'type':['object','null'],'required':['resamples','level','seed',"
     "'method','unit'],'properties':{'resamples':@integer,'level':@number,"
     "'seed':@integer,'method':@string,'unit':@string}},'summary':{"
     "'type':'object','additionalProperties':@ComparedInterval},"
     "'per_class':{'type':'array','items':{'type':'object','required':["
     "'category_id','name','AP'],'properties':{"
     "'category_id':@NullableInteger,'name':@NullableString,"
     "'AP':@ComparedInterval}}},'per_image':{'type':'array','items':{"
     "'type':'object','required':['image_id','f1','AP'],'properties':{"
     "'image_id':@integer,'f1':@Compared,'AP':@Compared}},"
     "'description':'Of images that both have, by the size of the change of "
     "f1, then of AP, largest first.'}}}"},
};

/* What each result has beside what they have in common. */
static const struct {
    const char *name, *members;
    bool paged;
} results[] = {
    {"RunSummary", "summary,summary_array", false},
    {"RunClasses", "per_class", true},
    {"RunImages", "per_image", true},
    {"RunCurves", "curves", false},
    {"RunOperatingPoints", "operating_points", false},
    {"RunConfusion", "confusion", false},
    {"RunErrors", "errors", false},
    {"RunCalibration", "calibration", false},
    {"RunLrp", "lrp", false},
    {"RunSlices", "slices", false},
    {"RunIntervals", "intervals", false},
    {"RunArrays", "arrays", false},
};

/* Calls write with each of the names between commas. */
static void each_member(struct json_out *out, const char *names,
                        void (*write)(struct json_out *out, const char *name))
{
    char name[64];
    while (*names) {
        size_t n = strcspn(names, ",");
        snprintf(name, sizeof(name), "%.*s", (int)n, names);
        write(out, name);
        names += n + (names[n] == ',');
    }
}

/* As DetectionAnswer has it. */
static void write_member(struct json_out *out, const char *name)
{
    char ref[160];
    snprintf(ref, sizeof(ref), "DetectionAnswer/properties/%s", name);
    out_key(out, name);
    openapi_ref(out, "schemas", ref);
}

static const char common[] = "protocol,counts,warnings";

static void write_result(struct json_out *out, const char *members, bool paged)
{
    openapi_text(out, "{'type':'object','required':['run','state'");
    each_member(out, common, out_string);
    each_member(out, members, out_string);
    openapi_text(out, paged ? "'next'],'properties':{'next':@Cursor,"
                            : "],'properties':{");
    openapi_text(out, "'run':@RunId,'state':@RunStateName");
    each_member(out, common, write_member);
    each_member(out, members, write_member);
    openapi_text(out, "}}");
}

void openapi_run_schemas(struct json_out *out)
{
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        out_key(out, schemas[i].name);
        openapi_text(out, schemas[i].text);
    }
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        out_key(out, results[i].name);
        write_result(out, results[i].members, results[i].paged);
    }
}

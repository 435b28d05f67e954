/* Schemas of detection scoring: what may be asked, and what is answered. */
#include "api/openapi.h"

static const struct {
    const char *name, *text;
} schemas[] = {
    {"NullableInteger", "{'type':['integer','null']}"},
    {"NullableString", "{'type':['string','null']}"},
    {"NullableNumber", "{'type':['number','null']}"},
    {"Count", "{'type':'integer','minimum':0}"},
    {"CountRange",
     "{'type':'array','minItems':2,'maxItems':2,'items':{'type':['integer',"
     "'null'],'minimum':0},'description':'Lowest and highest; null is no "
     "end.'}"},
    {"CountRanges",
     "{'type':'object','maxProperties':16,'additionalProperties':@CountRange,"
     "'description':'Numbers of ground truths of an image, by name.'}"},
    {"Bootstrap",
     "{'type':'object','additionalProperties':false,'required':[],"
     "'properties':{'resamples':{'type':'integer','minimum':1,"
     "'maximum':100000,'default':1000},'level':{'type':'number',"
     "'exclusiveMinimum':0,'exclusiveMaximum':1,'default':0.95},'seed':{"
     "'type':'integer','minimum':0,'default':0}},'description':'Equal seeds "
     "give equal intervals.'}"},
    {"DetectionParameters",
     "{'type':'object','additionalProperties':false,'required':[],"
     "'properties':{'iou_type':{'enum':['bbox'],'default':'bbox'},"
     "'iou_thresholds':{'$ref':'#/components/schemas/Fractions','maxItems':63,"
     "'description':'0.5 to 0.95 in steps of 0.05 unless given.'},"
     "'recall_thresholds':{'$ref':'#/components/schemas/Fractions',"
     "'description':'Rising; 0 to 1 in steps of 0.01 unless given.'},"
     "'max_detections':{'type':'array','minItems':3,'maxItems':3,"
     "'uniqueItems':true,'items':{'type':'integer','minimum':1,"
     "'maximum':2147483647},'default':[1,10,100]},'area_ranges':{"
     "'$ref':'#/components/schemas/AreaRanges','default':{'all':[0,"
     "10000000000.0],'small':[0,1024],'medium':[1024,9216],'large':[9216,"
     "10000000000.0]}},'use_categories':{'type':'boolean','default':true},"
     "'summation':{'enum':['numpy1','numpy2'],'default':'numpy1',"
     "'description':'Which numpy to add up means as: before 2.3, or since.'},"
     "'score_threshold':{'type':'number','default':0,"
     "'description':'Detections that count in per_image, confusion, "
     "calibration and LRP.'},'per_image_iou':{'type':'number','minimum':0,"
     "'maximum':1,'default':0.5,'description':'IoU of a match in all that is "
     "read at one threshold: per_image, operating_points, confusion, errors, "
     "calibration, lrp.'},'background_iou':{'type':'number','minimum':0,"
     "'maximum':1,'default':0.1,'description':'Of errors and suspects: what "
     "overlaps less is on the background. At most per_image_iou, which is the "
     "default where it is lower.'},'calibration_bins':{"
     "'type':'integer','minimum':1,'maximum':100,'default':15},"
     "'count_ranges':{'$ref':'#/components/schemas/CountRanges','default':{"
     "'1':[1,1],'2-4':[2,4],'5-9':[5,9],'10+':[10,null]}},'curve_points':{"
     "'type':'integer','minimum':2,'maximum':1000000,'description':'At most "
     "so many points of each raw curve; all unless given.'},"
     "'score_thresholds':{'type':'array','maxItems':100,'items':@number,"
     "'default':[],'description':'Scores at which operating points are "
     "wanted.'},'suspect_score':{'type':'number','default':0.5,"
     "'description':'From here on a detection is confident, and makes labels "
     "suspect.'},'intervals':@Bootstrap}}"},
    {"DetectionOutput",
     "{'enum':['summary','per_class','per_image','curves','operating_points',"
     "'confusion','errors','calibration','lrp','slices','intervals','arrays']"
     "}"},
    {"Protocol",
     "{'type':'object','required':['evaluator','hash'],'properties':{"
     "'evaluator':@string,'iou_type':@string,'iou_thresholds':{'type':'array',"
     "'items':@number},'recall_thresholds':{'type':'array','items':@number},"
     "'max_detections':{'type':'array','items':@integer},"
     "'area_ranges':@AreaRanges,'use_categories':@boolean,'summation':@string,"
     "'score_threshold':@number,'per_image_iou':@number,"
     "'background_iou':@number,'calibration_bins':@integer,"
     "'count_ranges':@CountRanges,'hash':{'type':'string',"
     "'pattern':'^sha256:[0-9a-f]{64}$'}},'description':'What was measured. "
     "Answers may be compared if the hashes, which are of all the other "
     "members, are the same.'}"},
    {"Summary",
     "{'type':'object','description':'AP, AP50, AP75, AP_small, AR_100 and so "
     "on; null where undefined.','additionalProperties':@NullableNumber}"},
    {"ClassScores",
     "{'type':'object','required':['category_id','name','ground_truths',"
     "'detections'],'properties':{'category_id':@NullableInteger,"
     "'name':@NullableString,'ground_truths':@Count,'detections':@Count},"
     "'additionalProperties':@NullableNumber}"},
    {"Match",
     "{'type':'object','required':['detection','annotation_id','iou'],"
     "'properties':{'detection':{'type':'integer','minimum':0,"
     "'description':'Its row in the request; of a run, its row if all were "
     "sorted by image_id, those of an image as they were sent.'},"
     "'annotation_id':@integer,"
     "'iou':@number}}"},
    {"Suspect",
     "{'type':'object','required':['kind','detection','annotation_id','iou',"
     "'score'],'properties':{'kind':{'enum':['missing_label','wrong_label',"
     "'loose_label','spurious_label']},'detection':@NullableInteger,"
     "'annotation_id':@NullableInteger,'iou':@NullableNumber,"
     "'score':@NullableNumber},'description':'What may be wrong with the "
     "labels: a confident detection on the background, on what is labelled as "
     "another category, or beside a box that it should have met; a ground "
     "truth that nothing overlaps, be it for want of detections.'}"},
    {"ImageScores",
     "{'type':'object','required':['image_id','ground_truths','detections',"
     "'tp','fp','fn','ignored','precision','recall','f1','mean_iou','AP',"
     "'matches','suspects'],'properties':{'image_id':@integer,"
     "'ground_truths':@Count,'detections':@Count,'tp':@Count,'fp':@Count,"
     "'fn':@Count,'ignored':@Count,'precision':@NullableNumber,"
     "'recall':@NullableNumber,'f1':@NullableNumber,"
     "'mean_iou':@NullableNumber,'AP':@NullableNumber,'matches':{"
     "'type':'array','items':@Match},'suspects':{'type':'array',"
     "'items':@Suspect}}}"},
    {"Curve",
     "{'type':'object','required':['category_id','name','iou','ground_truths',"
     "'detections','raw','envelope'],'properties':{"
     "'category_id':@NullableInteger,'name':@NullableString,'iou':@number,"
     "'ground_truths':@Count,'detections':@Count,'raw':{'type':['object',"
     "'null'],'required':['recall','precision','score'],'properties':{"
     "'recall':{'type':'array','items':@NullableNumber},'precision':{"
     "'type':'array','items':@number},'score':{'type':'array',"
     "'items':@number}},'description':'A point at each true positive, and at "
     "the last detection; each detection on its own.'},'envelope':{"
     "'type':['object','null'],'required':['precision','score'],'properties':{"
     "'precision':{'type':'array','items':@number},'score':{'type':'array',"
     "'items':@number}},'description':'At the recall_thresholds, as AP has "
     "it.'}}}"},
    {"Level",
     "{'type':'object','required':['score','f1','precision','recall','tp',"
     "'fp','fn'],'properties':{'score':@number,'f1':@NullableNumber,"
     "'precision':@NullableNumber,'recall':@NullableNumber,'tp':@Count,"
     "'fp':@Count,'fn':@Count},'description':'Detections of this score or "
     "more; equal scores are in or out together.'}"},
    {"OperatingPoint",
     "{'type':'object','required':['ground_truths','detections','best_f1',"
     "'at'],'properties':{'ground_truths':@Count,'detections':@Count,"
     "'best_f1':{'anyOf':[@Level,{'type':'null'}]},'at':{'type':'array',"
     "'items':@Level}}}"},
    {"OperatingPoints",
     "{'type':'object','required':['iou','overall','per_class'],'properties':{"
     "'iou':@number,'overall':@OperatingPoint,'per_class':{'type':'array',"
     "'items':{'type':'object','required':['category_id','name',"
     "'ground_truths','detections','best_f1','at'],'properties':{"
     "'category_id':@NullableInteger,'name':@NullableString,"
     "'ground_truths':@Count,'detections':@Count,'best_f1':{'anyOf':[@Level,{"
     "'type':'null'}]},'at':{'type':'array','items':@Level}}}}}}"},
    {"Confusion",
     "{'type':'object','required':['iou','score_threshold','labels','matrix',"
     "'pairs'],'properties':{'iou':@number,'score_threshold':@number,"
     "'labels':{'type':'array','items':{'type':'object',"
     "'required':['category_id','name'],'properties':{"
     "'category_id':@NullableInteger,'name':@NullableString}}},'matrix':{"
     "'type':['array','null'],'items':{'type':'array','items':@Count},"
     "'description':'Rows are ground truths, columns detections, both as "
     "labels has them; null beyond 2,048 categories.'},'pairs':{"
     "'type':'array','items':{'type':'object','required':['ground_truth',"
     "'detection','count'],'properties':{'ground_truth':@integer,"
     "'detection':@integer,'count':{'type':'integer','minimum':1}}}}}}"},
    {"ErrorCost", "{'type':'object','required':['count','dAP'],'properties':{"
                  "'count':@Count,'dAP':@NullableNumber}}"},
    {"Errors",
     "{'type':'object','required':['iou','background_iou','AP',"
     "'classification','localisation','both','duplicate','background',"
     "'missed','false_positive','false_negative','per_class'],'properties':{"
     "'iou':@number,'background_iou':@number,'AP':@NullableNumber,"
     "'classification':@ErrorCost,'localisation':@ErrorCost,'both':@ErrorCost,"
     "'duplicate':@ErrorCost,'background':@ErrorCost,'missed':@ErrorCost,"
     "'false_positive':@ErrorCost,'false_negative':@ErrorCost,'per_class':{"
     "'type':'array','items':{'type':'object','required':['category_id',"
     "'name','AP','classification','localisation','both','duplicate',"
     "'background','missed','false_positive','false_negative'],'properties':{"
     "'category_id':@NullableInteger,'name':@NullableString,"
     "'AP':@NullableNumber,'classification':@ErrorCost,"
     "'localisation':@ErrorCost,'both':@ErrorCost,'duplicate':@ErrorCost,"
     "'background':@ErrorCost,'missed':@ErrorCost,'false_positive':@ErrorCost,"
     "'false_negative':@ErrorCost}}}},'description':'The types of TIDE "
     "(arXiv:2008.08115), and by how much AP at this IoU would rise without "
     "them.'}"},
    {"Calibration",
     "{'type':'object','required':['iou','score_threshold','detections',"
     "'outside','ECE','MCE','bins','per_class'],'properties':{'iou':@number,"
     "'score_threshold':@number,'detections':@Count,'outside':{"
     "'type':'integer','minimum':0,'description':'Scores below 0 or above 1, "
     "which are in no bin.'},'ECE':@NullableNumber,'MCE':@NullableNumber,"
     "'bins':{'type':'array','description':'Scores above low, up to high; the "
     "first has 0, too.','items':{'type':'object','required':['low',"
     "'high','count','confidence','precision'],'properties':{'low':@number,"
     "'high':@number,'count':@Count,'confidence':@NullableNumber,"
     "'precision':@NullableNumber}}},'per_class':{'type':'array','items':{"
     "'type':'object','required':['category_id','name','detections','outside',"
     "'ECE','MCE','count','confidence','precision'],'properties':{"
     "'category_id':@NullableInteger,'name':@NullableString,"
     "'detections':@Count,'outside':{'type':'integer','minimum':0,"
     "'description':'Scores below 0 or above 1, which are in no bin.'},"
     "'ECE':@NullableNumber,'MCE':@NullableNumber,'count':{'type':'array',"
     "'items':@Count},'confidence':{'type':'array','items':@NullableNumber},"
     "'precision':{'type':'array','items':@NullableNumber}}}}}}"},
    {"Lrp",
     "{'type':'object','required':['iou','score_threshold','oLRP',"
     "'oLRP_localisation','oLRP_false_positive','oLRP_false_negative','LRP',"
     "'per_class'],'properties':{'iou':@number,'score_threshold':@number,"
     "'oLRP':@NullableNumber,'oLRP_localisation':@NullableNumber,"
     "'oLRP_false_positive':@NullableNumber,"
     "'oLRP_false_negative':@NullableNumber,'LRP':@NullableNumber,"
     "'per_class':{'type':'array','items':{'type':'object',"
     "'required':['category_id','name','oLRP','oLRP_localisation',"
     "'oLRP_false_positive','oLRP_false_negative','score','LRP'],"
     "'properties':{'category_id':@NullableInteger,'name':@NullableString,"
     "'oLRP':@NullableNumber,'oLRP_localisation':@NullableNumber,"
     "'oLRP_false_positive':@NullableNumber,"
     "'oLRP_false_negative':@NullableNumber,'score':@NullableNumber,"
     "'LRP':@NullableNumber}}}},'description':'Localisation recall precision "
     "errors (arXiv:1807.01696), 0 to 1, lower is better: at the best score, "
     "and at score_threshold. oLRP_localisation is the mean of 1 - IoU of the "
     "true positives there.'}"},
    {"Slices",
     "{'type':'object','required':['size','count'],'properties':{'size':{"
     "'type':'array','items':{'type':'object','required':['name','area',"
     "'images','ground_truths','AP','AP50','AP75','AR'],'properties':{"
     "'name':@string,'area':@Range,'images':@Count,'ground_truths':@Count,"
     "'AP':@NullableNumber,'AP50':@NullableNumber,'AP75':@NullableNumber,"
     "'AR':@NullableNumber}}},'count':{'type':'array','items':{"
     "'type':'object','required':['name','objects','images','ground_truths',"
     "'AP','AP50','AP75','AR'],'properties':{'name':@string,"
     "'objects':@CountRange,'images':@Count,'ground_truths':@Count,"
     "'AP':@NullableNumber,'AP50':@NullableNumber,'AP75':@NullableNumber,"
     "'AR':@NullableNumber}}}}}"},
    {"Interval",
     "{'type':'object','required':['low','high','std','resamples'],"
     "'properties':{'low':@NullableNumber,'high':@NullableNumber,"
     "'std':@NullableNumber,'resamples':{'type':'integer','minimum':0,"
     "'description':'Those in which the number is defined.'}}}"},
    {"Intervals",
     "{'type':'object','required':['resamples','level','seed','method','unit',"
     "'summary','per_class'],'properties':{'resamples':@integer,"
     "'level':@number,'seed':@integer,'method':@string,'unit':@string,"
     "'summary':{'type':'object','additionalProperties':@Interval},"
     "'per_class':{'type':'array','items':{'type':'object',"
     "'required':['category_id','name','AP'],'properties':{"
     "'category_id':@NullableInteger,'name':@NullableString,"
     "'AP':@Interval}}}}}"},
    {"Counts", "{'type':'object','required':['images','annotations','crowd',"
               "'detections','categories'],'properties':{'images':@Count,"
               "'annotations':@Count,'crowd':@Count,'detections':@Count,"
               "'categories':@Count}}"},
    {"Warning",
     "{'type':'object','required':['code','count','detail'],'properties':{"
     "'code':@string,'count':@Count,'detail':@string}}"},
    {"DetectionAnswer",
     "{'type':'object','required':['protocol','counts','warnings'],"
     "'properties':{'protocol':@Protocol,'summary':@Summary,'summary_array':{"
     "'type':'array','minItems':12,'maxItems':12,'items':@number},"
     "'counts':@Counts,'warnings':{'type':'array','items':@Warning},"
     "'per_class':{'type':'array','items':@ClassScores},'per_image':{"
     "'type':'array','items':@ImageScores},'curves':{'type':'array',"
     "'items':@Curve},'operating_points':@OperatingPoints,"
     "'confusion':@Confusion,'errors':@Errors,'calibration':@Calibration,"
     "'lrp':@Lrp,'slices':@Slices,'intervals':@Intervals,'arrays':{"
     "'type':'object','required':['precision','recall','scores'],"
     "'properties':{'precision':{'type':'array'},'recall':{'type':'array'},"
     "'scores':{'type':'array'}}}}}"},
};

void openapi_detection_schemas(struct json_out *out)
{
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        out_key(out, schemas[i].name);
        openapi_text(out, schemas[i].text);
    }
}

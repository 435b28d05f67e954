/* Schemas of documents that have one form, whatever the rows say. */
#include "api/openapi.h"

static const struct {
    const char *name, *text;
} schemas[] = {
    {"Status", "{'type':'object','required':['status'],"
               "'properties':{'status':{'const':'ok'}}}"},
    {"Version",
     "{'type':'object','required':['name','version','api'],"
     "'properties':{'name':@string,'version':@string,'api':@string}}"},
    {"Service",
     "{'type':'object','required':['name','version','limits','features',"
     "'encodings','links'],'properties':{'name':@string,'version':@string,"
     "'limits':{'type':'object','additionalProperties':@integer},"
     "'features':{'type':'array','items':@string},'encodings':{'type':"
     "'array','items':@string,'description':'What Content-Encoding of a body "
     "may be, and that of an answer is where Accept-Encoding "
     "asks.'},'links':{'type':'array',"
     "'items':{'type':'object','required':['href','methods'],"
     "'properties':{'href':@string,'methods':@string}}}}}"},
    {"Document", "{'type':'object','description':'OpenAPI 3.1.'}"},
    {"Problem",
     "{'type':'object','required':['type','title','status','detail','error'],"
     "'properties':{'type':{'type':'string','format':'uri-reference',"
     "'description':'A page that explains this type.'},'title':@string,"
     "'status':@integer,'detail':@string,'instance':@string,"
     "'request_id':@string,'error':{'type':'string','description':'The same "
     "as detail.'},'errors':{'type':'array','maxItems':20,"
     "'items':{'type':'object','required':['pointer','code','detail'],"
     "'properties':{'pointer':{'type':'string','format':'json-pointer'},"
     "'code':@string,'detail':@string}}}}}"},
    {"DType",
     "{'enum':['float64','float32'],'default':'float64','description':'What "
     "the inputs are rounded to and the results are.'}"},
    {"NonFinite",
     "{'enum':['null','string','error'],'default':'null','description':'What "
     "NaN and the infinities become: null, a string such as NaN, or a "
     "problem.'}"},
    {"Stats",
     "{'type':'object','description':'Diagnostics of the whole batch.',"
     "'additionalProperties':{'type':['number','string','null','array',"
     "'object']}}"},
    {"Operations",
     "{'type':'object','required':['operations'],"
     "'properties':{'operations':{'type':'array','items':@Operation}}}"},
    {"Operation",
     "{'type':'object','required':['operation','group','name','aliases',"
     "'title','summary','formula','formula_tex','inputs','parameters',"
     "'outputs','source','example'],'properties':{'operation':@OperationName,"
     "'group':@string,'name':@string,'aliases':{'type':'array',"
     "'items':@string},'title':@string,'summary':@string,'formula':@string,"
     "'formula_tex':@string,'inputs':{'type':'array','items':@Port},"
     "'parameters':{'type':'array','items':@Parameter},"
     "'outputs':{'type':'array','items':@Port},'source':@string,"
     "'example':{'type':'object','description':'A whole request body.'}}}"},
    {"Port",
     "{'type':'object','required':['name','shape','dtype','doc'],"
     "'properties':{'name':@string,'shape':{'type':'string',"
     "'description':'Letters are sizes; equal letters are equal sizes.'},"
     "'dtype':{'enum':['float','integer','boolean','object']},"
     "'required':@boolean,'doc':@string}}"},
    {"Parameter",
     "{'type':'object','required':['name','type','default','nullable','doc'],"
     "'properties':{'name':@string,'type':{'enum':['number','integer',"
     "'boolean','choice']},'default':{'type':['number','string','boolean',"
     "'null']},'minimum':@number,'exclusive_minimum':@number,"
     "'maximum':@number,'choices':{'type':'array','items':@string},"
     "'nullable':@boolean,'doc':@string}}"},
    {"BatchRequest",
     "{'type':'object','additionalProperties':false,'required':['requests'],"
     "'properties':{'requests':{'type':'array','maxItems':256,"
     "'items':{'type':'object','additionalProperties':false,"
     "'required':['operation','inputs'],"
     "'properties':{'operation':@OperationName,'inputs':{'type':'object'},"
     "'parameters':{'type':'object'},'outputs':{'type':'array',"
     "'items':@string},'dtype':@DType,'nonfinite':@NonFinite}}}}}"},
    {"BatchAnswer",
     "{'type':'object','required':['responses'],"
     "'properties':{'responses':{'type':'array','items':{'type':'object',"
     "'required':['status','body'],'properties':{'status':@integer,"
     "'body':{'type':'object','description':'What the operation by itself "
     "would have answered.'}}}}}}"},
    {"Box", "{'type':'array','minItems':4,'maxItems':4,'items':@number,"
            "'description':'x, y, width, height in pixels.'}"},
    {"Flag", "{'type':['integer','boolean']}"},
    {"GroundTruth",
     "{'type':'object','required':['images','annotations','categories'],"
     "'properties':{'images':{'type':'array','items':{'type':'object',"
     "'required':['id'],'properties':{'id':@integer}}},"
     "'annotations':{'type':'array','items':{'type':'object',"
     "'required':['id','image_id','category_id','bbox'],"
     "'properties':{'id':@integer,'image_id':@integer,'category_id':@integer,"
     "'bbox':@Box,'area':{'type':'number','description':'Width times height "
     "where it is missing.'},'iscrowd':@Flag,'ignore':@Flag}}},"
     "'categories':{'type':'array','items':{'type':'object',"
     "'required':['id'],'properties':{'id':@integer,'name':{'type':['string',"
     "'null']}}}}}}"},
    {"Detection",
     "{'type':'object','required':['image_id','category_id','bbox','score'],"
     "'properties':{'image_id':@integer,'category_id':@integer,'bbox':@Box,"
     "'score':@number}}"},
    {"DetectionColumns",
     "{'type':'object','required':['image_id','category_id','bbox','score'],"
     "'properties':{'image_id':{'type':'array','items':@integer},"
     "'category_id':{'type':'array','items':@integer},'bbox':{'type':'array',"
     "'items':@Box},'score':{'type':'array','items':@number}}}"},
    {"Fractions",
     "{'type':'array','minItems':1,'maxItems':1001,'items':{'type':'number',"
     "'minimum':0,'maximum':1}}"},
    {"Range", "{'type':'array','minItems':2,'maxItems':2,'items':@number,"
              "'description':'Lowest and highest.'}"},
    {"AreaRanges", "{'type':'object','required':['all'],'maxProperties':16,"
                   "'properties':{'all':@Range},'additionalProperties':@Range,"
                   "'description':'Areas in square pixels, by name.'}"},
    {"Detections", "{'oneOf':[{'type':'array','items':@Detection},"
                   "@DetectionColumns]}"},
    {"DetectionOutputs",
     "{'type':'array','items':@DetectionOutput,'default':['summary']}"},
    {"DetectionRequest",
     "{'type':'object','additionalProperties':false,"
     "'required':['ground_truth','detections'],"
     "'properties':{'ground_truth':@GroundTruth,'detections':@Detections,"
     "'parameters':@DetectionParameters,'outputs':@DetectionOutputs,"
     "'nonfinite':@NonFinite}}"},
    {"DetectionForm",
     "{'type':'object','additionalProperties':false,"
     "'required':['ground_truth','detections'],'description':'Two files, and "
     "settings, each a part of its own; their types and the names of files "
     "are not looked at.','properties':{'ground_truth':@GroundTruth,"
     "'detections':{'anyOf':[@Detections,{'type':'string',"
     "'contentMediaType':'application/x-npy','description':'Rows of "
     "image_id, x, y, width, height, score, category_id.'}]},"
     "'parameters':@DetectionParameters,'outputs':@DetectionOutputs,"
     "'nonfinite':@NonFinite}}"},
    {"OipError", "{'type':'object','required':['error'],"
                 "'properties':{'error':@string}}"},
    {"OipServer", "{'type':'object','required':['name','version','extensions'],"
                  "'properties':{'name':@string,'version':@string,"
                  "'extensions':{'type':'array','items':@string}}}"},
    {"OipLive", "{'type':'object','required':['live'],"
                "'properties':{'live':{'const':true}}}"},
    {"OipReady", "{'type':'object','required':['live','ready'],"
                 "'properties':{'live':{'const':true},"
                 "'ready':{'const':true}}}"},
    {"OipModelReady", "{'type':'object','required':['name','ready'],"
                      "'properties':{'name':@string,'ready':{'const':true}}}"},
    {"OipDatatype",
     "{'enum':['FP16','FP32','FP64','INT32','INT64','BOOL'],'description':"
     "'Numbers may be any but BOOL; FP16 is binary only. All FP16 or FP32 "
     "are computed in FP32, anything else in FP64. Indices are INT32 or "
     "INT64, flags those or BOOL.'}"},
    {"OipShape",
     "{'type':'array','maxItems':8,'items':{'type':'integer','minimum':0}}"},
    {"OipData",
     "{'type':'array','description':'Row-major, flat or nested.','items':{"
     "'anyOf':[{'type':['number','boolean','null']},"
     "{'enum':['NaN','Infinity','-Infinity']},@OipData]}}"},
    {"OipPort",
     "{'type':'object','required':['name','datatype','shape'],'properties':{"
     "'name':@string,'datatype':@OipDatatype,'shape':{'type':'array',"
     "'description':'-1 is any size; what may have any shape, of up to 8 "
     "dimensions, or one that depends, is [-1].',"
     "'items':{'type':'integer','minimum':-1}}}}"},
    {"OipModel",
     "{'type':'object','required':['name','versions','platform','inputs',"
     "'outputs'],'properties':{'name':@string,"
     "'versions':{'type':'array','items':@string},'platform':@string,"
     "'inputs':{'type':'array','items':@OipPort},"
     "'outputs':{'type':'array','items':@OipPort},"
     "'properties':{'type':'object','description':'Where the operation is "
     "described, and which inputs may be left out.',"
     "'additionalProperties':@string}}}"},
    {"OipInput",
     "{'type':'object','additionalProperties':false,"
     "'required':['name','shape','datatype'],'properties':{'name':@string,"
     "'shape':@OipShape,'datatype':@OipDatatype,'data':@OipData,"
     "'parameters':{'type':'object','additionalProperties':false,"
     "'properties':{'binary_data_size':{'type':'integer','minimum':0,"
     "'description':'In place of data: bytes behind the JSON.'}}}}}"},
    {"OipWanted",
     "{'type':'object','additionalProperties':false,'required':['name'],"
     "'properties':{'name':@string,'parameters':{'type':'object',"
     "'additionalProperties':false,'properties':{'binary_data':@boolean}}}}"},
    {"OipRequest",
     "{'type':'object','additionalProperties':false,'required':['inputs'],"
     "'properties':{'id':@string,'model_name':@string,"
     "'model_version':@string,'parameters':{'type':'object','description':"
     "'Those of the operation; binary_data_output, whether outputs are binary "
     "where they do not say; nonfinite, what NaN and the infinities become in "
     "JSON. sequence_id, sequence_start, sequence_end, priority and timeout "
     "are taken and have no effect.','additionalProperties':{'type':["
     "'number','string','boolean','null']}},"
     "'inputs':{'type':'array','items':@OipInput},"
     "'outputs':{'type':'array','items':@OipWanted}}}"},
    {"OipOutput",
     "{'type':'object','required':['name','datatype','shape'],'properties':{"
     "'name':@string,'datatype':@OipDatatype,'shape':@OipShape,"
     "'data':@OipData,'parameters':{'type':'object','properties':{"
     "'binary_data_size':{'type':'integer','minimum':0},"
     "'nonfinite_count':{'type':'integer','minimum':1}}}}}"},
    {"OipAnswer",
     "{'type':'object','required':['model_name','model_version','outputs'],"
     "'properties':{'model_name':@string,'model_version':@string,"
     "'id':@string,'outputs':{'type':'array','items':@OipOutput}}}"},
};

void openapi_fixed_schemas(struct json_out *out)
{
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        out_key(out, schemas[i].name);
        openapi_text(out, schemas[i].text);
    }
    openapi_detection_schemas(out);
    openapi_run_schemas(out);
}

void openapi_fixed_parts(struct json_out *out)
{
    openapi_text(
        out,
        "'parameters':{"
        "'RequestId':{'name':'X-Request-Id','in':'header','description':"
        "'Comes back in the answer and stands in the log.','schema':{"
        "'type':'string','pattern':'^[!-~]{1,128}$'}},"
        "'RequestTimeout':{'name':'X-Request-Timeout-Ms','in':'header',"
        "'description':'How long the answer is of use, if that is less than "
        "the server allows. Then it is 504, and the work stops.','schema':{"
        "'type':'integer','minimum':1,'maximum':86400000}},"
        "'Pretty':{'name':'pretty','in':'query','description':"
        "'Indent the answer; the value does not matter.',"
        "'allowEmptyValue':true,'schema':@string},"
        "'IfNoneMatch':{'name':'If-None-Match','in':'header','description':"
        "'Tags of answers that the client has.','schema':@string},"
        "'AcceptEncoding':{'name':'Accept-Encoding','in':'header',"
        "'description':'Answers of a kilobyte or more are compressed if it "
        "asks for zstd or gzip, and if that saves anything.',"
        "'schema':@string},"
        "'ContentEncoding':{'name':'Content-Encoding','in':'header',"
        "'description':'How the body is compressed. The limit of its size "
        "holds for the inflated body too.','schema':{"
        "'enum':['identity','gzip','zstd'],'default':'identity'}},"
        "'Inference-Header-Content-Length':{'name':"
        "'Inference-Header-Content-Length','in':'header','description':"
        "'The length of the JSON, where bytes of tensors follow it; 0 if the "
        "body is the one input of the model, FP32.','schema':{"
        "'type':'integer','minimum':0}}},"
        "'headers':{"
        "'X-Request-Id':{'description':'The id of the request: that which "
        "was sent, or a new one.','required':true,"
        "'schema':@string},"
        "'Server-Timing':{'description':'Milliseconds spent, as queue;dur=…, "
        "parse;dur=…, compute;dur=…, encode;dur=…. Inflating the body is "
        "part of parse, compressing the answer of encode.',"
        "'schema':@string},"
        "'ETag':{'description':'A name of the answer by its bytes; of a "
        "dataset its sha256.',"
        "'schema':@string},"
        "'Location':{'description':'The path of what is new.','schema':{"
        "'type':'string','format':'uri-reference'}},"
        "'WWW-Authenticate':{'description':'What kind of token is wanted.',"
        "'schema':@string},"
        "'Allow':{'description':'The methods that the path has.',"
        "'schema':@string},"
        "'Accept-Post':{'description':'The types of body that are read.',"
        "'schema':@string},"
        "'Accept-Encoding':{'description':'The encodings of bodies that are "
        "read; left out where the encoding is not what is wrong.',"
        "'schema':@string},"
        "'Content-Encoding':{'description':'How the answer is compressed, if "
        "it is.','schema':{'enum':['gzip','zstd']}},"
        "'Vary':{'description':'Accept-Encoding, where the answer is long "
        "enough to be compressed.','schema':@string},"
        "'Inference-Header-Content-Length':{'description':'The length of the "
        "JSON, where bytes of tensors follow it.','schema':{"
        "'type':'integer','minimum':0}},"
        "'Retry-After':{'description':'Seconds to wait.',"
        "'schema':{'type':'integer','minimum':0}}},"
        "'securitySchemes':{'bearer':{'type':'http','scheme':'bearer',"
        "'description':'A token of the server, where it wants one.'}}");
}
